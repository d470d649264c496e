//! What happens: drawn from a seed, as plain data. Every number picks among what there is, so that a history with any
//! part left out is a history still, and a failing one can be made small.

use std::time::{Duration, Instant};

use nproxy::models::allowances::Kind;
use rand::{Rng, SeedableRng, rngs::StdRng};

pub const PEOPLE: usize = 3;
pub const TOKENS_EACH: i64 = 100;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    Grant { who: usize, kind: Kind, amount: i64, begins_in_hours: i64, lasts_hours: i64 },
    GrantAgain { pick: usize },
    Hold { who: usize, outputs: i64 },
    Settle { pick: usize, delivered: i64 },
    SettleAgain { pick: usize, delivered: i64 },
    Expire { pick: usize },
    Adjust { pick: usize, by: i64 },
    AdjustAgain { pick: usize },
    Revoke { pick: usize },
    Forgive { pick: usize },
    Forward { hours: i64 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deed {
    pub step: Step,
    /// It happens in a transaction that is never committed.
    pub undone: bool,
}

pub fn draw(seed: u64, steps: usize) -> Vec<Deed> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..steps).map(|_| Deed { step: step(&mut rng), undone: rng.random_bool(0.04) }).collect()
}

fn step(rng: &mut StdRng) -> Step {
    let (pick, who) = (rng.random_range(0..10_000), rng.random_range(0..PEOPLE));
    match rng.random_range(0..100) {
        0..7 => grant(rng, who),
        7..9 => Step::GrantAgain { pick },
        9..45 => Step::Hold { who, outputs: rng.random_range(1..=4) },
        45..75 => Step::Settle { pick, delivered: if rng.random_bool(0.3) { 0 } else { rng.random_range(0..=4) } },
        75..80 => Step::SettleAgain { pick, delivered: rng.random_range(0..=4) },
        80..86 => Step::Expire { pick },
        86..91 => {
            let by = rng.random_range(1..=6) * if rng.random_bool(0.2) { TOKENS_EACH } else { 1 };
            Step::Adjust { pick, by: if rng.random_bool(0.5) { by } else { -by } }
        }
        91..92 => Step::AdjustAgain { pick },
        92..95 => Step::Revoke { pick },
        95..97 => Step::Forgive { pick },
        _ => Step::Forward { hours: rng.random_range(1..=72) },
    }
}

fn grant(rng: &mut StdRng, who: usize) -> Step {
    let kind = [Kind::Quota, Kind::Quota, Kind::Quota, Kind::Trial, Kind::Tokens][rng.random_range(0..5)];
    let amount = rng.random_range(1..=12) * if kind == Kind::Tokens { TOKENS_EACH / 2 } else { 1 };
    let begins_in_hours = if rng.random_bool(0.2) { rng.random_range(1..=100) } else { -1 };
    Step::Grant { who, kind, amount, begins_in_hours, lasts_hours: rng.random_range(1..=400) }
}

/// Leaves out whatever the failure does not need: halves first, then quarters, down to single steps, as long as patience
/// lasts.
pub async fn shrunk<F: Future<Output = bool>>(
    mut history: Vec<Deed>,
    mut fails: impl FnMut(Vec<Deed>) -> F,
) -> Vec<Deed> {
    let end = Instant::now() + Duration::from_secs(30);
    let mut size = history.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < history.len() && Instant::now() < end {
            let mut without = history.clone();
            without.drain(from..history.len().min(from + size));
            if fails(without.clone()).await {
                history = without;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    history
}
