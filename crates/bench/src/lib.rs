//! What the driver, the benches and the counter of instructions share.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "rules for nproxy itself: a driver has a clock and a terminal of its own"
)]

pub mod figures;
mod growth;
pub mod house;
pub mod load;
pub mod paths;
pub mod pictures;
pub mod rooms;
pub mod seeds;
pub mod wire;

use std::time::Duration;

pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;

/// How much is done for a figure.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Times that a load is repeated; the median counts.
    pub repeats: usize,
    /// One load.
    pub lasting: Duration,
    /// Steps that are taken one after another.
    pub samples: usize,
    /// Prompts in a second that are offered when it shall bear what it can.
    pub rate: f64,
    /// Runs of the past.
    pub runs: i64,
}
