//! How many provider keys do I need? The rules of the key pool on a virtual clock: days of traffic in seconds.
//!
//! ```text
//! cargo run --release --example capacity -- --keys 40 --flaky 5 --rate 2 --hours 24
//! cargo run --release --example capacity -- --help
//! ```
//!
//! What a key may do, what a failure costs it, when a provider as a whole is unwell: all that is
//! `nproxy::models::provider_keys::rules`, the same code that the application runs. What is played here is the world around
//! it: people who ask, vendors that answer, fail, limit and run out of money.

mod pool;
mod report;
mod simulation;
mod vendor;

use clap::Parser;

/// Plays traffic against a pool of provider keys and tells what people would have seen.
#[derive(Debug, Clone, Parser)]
pub struct Plan {
    /// Keys that work.
    #[arg(long, default_value_t = 20)]
    pub keys: usize,
    /// Besides: keys of which one call in ten fails.
    #[arg(long, default_value_t = 0)]
    pub flaky: usize,
    /// Besides: keys that fail every call.
    #[arg(long, default_value_t = 0)]
    pub broken: usize,
    /// Besides: keys that take `--per-minute` calls a minute and answer the rest with 429.
    #[arg(long, default_value_t = 0)]
    pub limited: usize,
    #[arg(long, default_value_t = 10)]
    pub per_minute: u32,
    /// Calls that one key carries at once.
    #[arg(long, default_value_t = nproxy::models::provider_keys::MAX_CONCURRENCY)]
    pub concurrency: i64,
    /// Pictures asked for in a second, on average.
    #[arg(long, default_value_t = 1.0)]
    pub rate: f64,
    /// Seconds that a vendor takes for a picture, in the middle.
    #[arg(long, default_value_t = 12.0)]
    pub seconds: f64,
    /// Of a hundred calls to a key that works, so many fail all the same.
    #[arg(long, default_value_t = 0.5)]
    pub failures: f64,
    /// Of a hundred calls, so many get no answer, and are perhaps billed.
    #[arg(long, default_value_t = 0.1)]
    pub timeouts: f64,
    /// Of a hundred prompts, so many are declined.
    #[arg(long, default_value_t = 2.0)]
    pub declined: f64,
    /// US dollars on the account of each key; none = without end.
    #[arg(long)]
    pub budget: Option<f64>,
    /// US dollars that a picture costs.
    #[arg(long, default_value_t = 0.039)]
    pub price: f64,
    /// The provider is away for so many minutes, in the middle of it all.
    #[arg(long, default_value_t = 0.0)]
    pub outage: f64,
    /// Hours that are played.
    #[arg(long, default_value_t = 24.0)]
    pub hours: f64,
    /// Seconds that a key rests after a failure (`POOL_COOLDOWN_SECS`).
    #[arg(long, default_value_t = 300)]
    pub cooldown: u64,
    /// Seconds that one picture may take in all (`POOL_RUN_SECS`).
    #[arg(long, default_value_t = 180)]
    pub deadline: u64,
    /// Seconds after which a call is given up (`POOL_CALL_SECS`).
    #[arg(long, default_value_t = 90)]
    pub call: u64,
    /// The same seed plays the same world.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn main() {
    let plan = Plan::parse();
    let report = simulation::play(&plan);
    println!("{}", if plan.json { report.json() } else { report.table() });
}
