//! The stand-ins from outside, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test says what it expects by failing, and the rules for clients are nproxy's"
)]

mod billing;
mod control;
mod faults;
mod mail;
mod payments;
mod pictures;
mod proxies;
mod python;
mod support;
mod telegram;
mod wire;
