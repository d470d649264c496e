//! Everything this crate promises, on `SQLite` and, with `TEST_DATABASE_URL` (a server to create databases on), on
//! `PostgreSQL`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "tests set the clock against the product's")]
#![allow(clippy::print_stdout, reason = "figures, and the seed to fail with again")]

mod support;

mod clocks;
mod crashes;
mod enqueueing;
mod hints;
mod leases;
mod operators;
mod outages;
mod redis;
mod running;
mod server;
mod timetable;
mod transactions;
