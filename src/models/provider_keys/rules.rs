//! What the pool decides, without a database: `health`, `lease` and `incidents` carry it out in rows, `examples/capacity`
//! plays days of it on a virtual clock.

use std::time::Duration;

use chrono::TimeDelta;
use rand::Rng;

use super::State;
use crate::adapters::images::Failure;

/// The eleventh failure in a row, across rests, sends a key to a person.
pub const STRIKES_UNTIL_REVIEW: i64 = 10;

/// A key that comes back carries one call at first, then two, four … up to its own limit.
pub const FIRST_STEP: i64 = 1;

/// Rests end a little apart, so that keys do not come back in a crowd.
const JITTER: f64 = 0.10;

/// Failures this close together may have one cause.
pub const WINDOW: TimeDelta = TimeDelta::seconds(10);

/// While an incident is open, one call goes out in this time.
pub const PROBE_EVERY: TimeDelta = TimeDelta::seconds(1);

/// So many keys, or half of the pool, failing alike: that is the provider.
const KEYS_ALIKE: usize = 3;

/// One key alone says nothing about its provider.
pub const FEWEST: usize = 2;

/// Calls of one output that may end without anybody knowing whether they were billed.
pub const AMBIGUOUS_BUDGET: u64 = 1;

/// What a failure means for the key it happened on.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not the key's fault.
    Innocent,
    /// Rests for at least so long, without a strike.
    Rest(Option<Duration>),
    /// This key is not asked for this model for a while; other models it serves.
    Exclude,
    /// A strike, and a rest; a person looks at the eleventh.
    Strike,
    /// Out until a person acts.
    Out(State),
}

#[must_use]
pub fn verdict(failure: &Failure) -> Verdict {
    match failure {
        Failure::Refused { .. } | Failure::Empty { .. } | Failure::OurFault { .. } => Verdict::Innocent,
        // The proxy's doing. Where the same key is tried directly afterwards, that call speaks for the key.
        Failure::ProxyFault { .. } => Verdict::Innocent,
        Failure::ModelAccess { .. } => Verdict::Exclude,
        Failure::RateLimited { retry_after, .. } => Verdict::Rest(*retry_after),
        Failure::Transient { .. } | Failure::NotSent { .. } | Failure::Ambiguous { .. } => Verdict::Strike,
        Failure::Credential { .. } => Verdict::Out(State::ManualReview),
        Failure::OutOfFunds { .. } => Verdict::Out(State::OutOfFunds),
    }
}

/// A person has to look at a key with so many failures in a row.
#[must_use]
pub fn strikes_out(strikes: i64) -> bool {
    strikes > STRIKES_UNTIL_REVIEW
}

/// Calls at once. A rested key is probed by one call; after it a key shows what it can with one, two, four …
#[must_use]
pub fn cap(state: State, ramp: Option<i64>, max_concurrency: i64) -> i64 {
    match (state, ramp) {
        (State::Cooldown, _) => 1,
        (_, Some(ramp)) => std::cmp::min(ramp, max_concurrency),
        (_, None) => max_concurrency,
    }
}

/// What a key carries after one more picture; `None` = as much as it may.
#[must_use]
pub fn next_step(ramp: i64, max_concurrency: i64) -> Option<i64> {
    (2 * ramp < max_concurrency).then_some(2 * ramp)
}

/// So many keys of a pool failing alike within the [`WINDOW`], with no picture in between, are the provider's fault.
#[must_use]
pub fn is_the_provider(alike: usize, pool: usize) -> bool {
    alike >= FEWEST && (alike >= KEYS_ALIKE || 2 * alike >= pool)
}

/// The rest after a strike, a little longer for some than for others.
#[must_use]
pub fn with_jitter(cooldown: Duration, rng: &mut impl Rng) -> Duration {
    cooldown.mul_f64(1.0 + rng.random_range(0.0..JITTER))
}
