//! Everything that boots the application, in one binary: linking it once costs less than thirty small ones.
//! `bin/test models/ledger` runs a part.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what it wants and stops when it does not get it"
)]

mod adapters;
mod bench;
mod bot;
mod browser;
mod chaos;
mod generator;
mod migrations;
mod models;
mod production;
mod requests;
mod support;
mod tasks;
mod workers;
