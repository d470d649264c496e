//! What a vendor answers to a call, and when.

use std::time::Duration;

use nproxy::adapters::images::{Evidence, Failure, Refusal};
use rand::{Rng, rngs::StdRng};

use crate::{Plan, pool::Moment};

/// One key as its vendor sees it.
#[derive(Debug, Clone)]
pub enum Account {
    Works,
    Flaky,
    Broken,
    /// So many calls a minute; the minute that runs and what it has seen.
    Limited {
        per_minute: u32,
        minute: Moment,
        seen: u32,
    },
}

/// The world's answer: after this long, a picture or why there is none.
#[derive(Debug)]
pub struct Answer {
    pub after: Duration,
    pub came: Result<(), Failure>,
}

const FLAKY: f64 = 0.10;

/// An error page comes at once.
const AT_ONCE: Duration = Duration::from_millis(300);

/// Nobody knows better than the middle and a long tail.
const SIGMA: f64 = 0.35;

fn evidence() -> Evidence {
    Evidence::default()
}

/// `declined` belongs to the prompt: every key says the same about it. `money` is what the account holds, in pictures.
pub fn answer(
    plan: &Plan,
    account: &mut Account,
    rng: &mut StdRng,
    now: Moment,
    declined: bool,
    money: Option<u64>,
    away: bool,
) -> Answer {
    let fails = |failure| Answer { after: AT_ONCE, came: Err(failure) };
    if away {
        return fails(Failure::Transient { evidence: evidence() });
    }
    if money == Some(0) {
        return fails(Failure::OutOfFunds { evidence: evidence() });
    }
    match account {
        Account::Broken => return fails(Failure::Transient { evidence: evidence() }),
        Account::Flaky if rng.random_bool(FLAKY) => return fails(Failure::Transient { evidence: evidence() }),
        Account::Limited { per_minute, minute, seen } => {
            const MINUTE: Duration = Duration::from_secs(60);
            if now.since(*minute) >= MINUTE {
                (*minute, *seen) = (now, 0);
            }
            *seen += 1;
            if *seen > *per_minute {
                let retry_after = Some(MINUTE.saturating_sub(now.since(*minute)));
                return fails(Failure::RateLimited { retry_after, per_day: false, evidence: evidence() });
            }
        }
        Account::Works | Account::Flaky => {}
    }
    if rng.random_bool(plan.failures / 100.0) {
        return fails(Failure::Transient { evidence: evidence() });
    }
    if declined {
        return fails(Failure::Refused { reason: Refusal::Prompt, evidence: evidence() });
    }
    if rng.random_bool(plan.timeouts / 100.0) {
        let after = Duration::from_secs(plan.call);
        return Answer { after, came: Err(Failure::Ambiguous { evidence: evidence() }) };
    }
    let seconds = plan.seconds * (SIGMA * normal(rng)).exp();
    Answer { after: Duration::from_secs_f64(seconds), came: Ok(()) }
}

/// Box and Muller's.
fn normal(rng: &mut StdRng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// The pause until the next person asks, of people who do not know of each other.
pub fn pause(rng: &mut StdRng, rate: f64) -> Duration {
    Duration::from_secs_f64(-(1.0 - rng.random::<f64>()).ln() / rate)
}
