//! The months of a person. A paid invoice is one month with one limit; it begins at once, or where the last one ends.

use chrono::Months;
use loco_rs::Result;
use sea_orm::{ConnectionTrait, prelude::DateTimeUtc};

use crate::models::allowances::{self, Kind, Model};

/// What runs and what is paid for later, at one moment. Judged by the clock, never by a job.
#[derive(Debug, Clone, Default)]
pub struct Cycles {
    /// Has begun; of several the one with something left, then the one that lasts longest.
    pub running: Option<Model>,
    /// Begins later.
    pub queued: Option<Model>,
    /// When all that is paid for is over.
    paid_until: Option<DateTimeUtc>,
}

/// # Errors
/// The database does not answer.
pub async fn cycles(db: &impl ConnectionTrait, user_id: i64, now: DateTimeUtc) -> Result<Cycles> {
    let mut months = allowances::all_of(db, user_id).await?;
    months.retain(|month| month.kind() == Kind::Quota && month.closed(now).is_none());
    let paid_until = months.iter().filter_map(|month| month.expires_at).max();
    let (queued, begun): (Vec<_>, Vec<_>) = months.into_iter().partition(|month| month.starts_at > now);
    Ok(Cycles {
        running: begun.into_iter().max_by_key(|month| (month.available > 0, month.expires_at)),
        queued: queued.into_iter().min_by_key(|month| month.starts_at),
        paid_until,
    })
}

impl Cycles {
    /// At most one month waits behind the running one: a further one is not on offer.
    #[must_use]
    pub const fn is_renewable(&self) -> bool {
        self.queued.is_none()
    }

    /// Nothing is left of the running month, or none runs.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.running.as_ref().is_none_or(|month| month.available == 0)
    }

    /// Beginning and end of a month paid at this moment. What was paid for while one waits already is not lost: it goes
    /// behind that one.
    #[must_use]
    pub fn next(&self, now: DateTimeUtc) -> (DateTimeUtc, DateTimeUtc) {
        let waits = self.queued.is_some() || !self.is_used_up();
        let starts_at = self.paid_until.filter(|_| waits).unwrap_or(now);
        (starts_at, starts_at + Months::new(1))
    }
}
