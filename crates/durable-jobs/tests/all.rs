//! Everything this crate promises, on `SQLite` and, with `TEST_DATABASE_URL` (a server to create databases on), on
//! `PostgreSQL`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "tests set the clock against the product's")]

mod support;

mod crashes;
mod enqueueing;
mod leases;
mod operators;
mod outages;
mod running;
mod timetable;
mod transactions;
