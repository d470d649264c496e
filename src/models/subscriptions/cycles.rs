//! The months of a person. A paid invoice is one month with one limit; it begins at once, or where the last one ends, and
//! ends a calendar month later at the same time of day (on the last day of a month that has no such day).

use chrono::Months;
use loco_rs::Result;
use sea_orm::{ConnectionTrait, prelude::DateTimeUtc};

use crate::models::allowances::{self, Kind, Model};

/// How the plan stands at one moment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There was no month yet.
    Never,
    Active,
    /// The last month is over, by the clock or because it was taken back.
    Expired,
}

/// What runs and what is paid for later, at one moment. Judged by the clock, never by a job.
#[derive(Debug, Clone, Default)]
pub struct Cycles {
    /// Has begun; of several the one with something left, then the one that lasts longest.
    pub running: Option<Model>,
    /// Begins later.
    pub queued: Option<Model>,
    /// When the last month that counts no more came to its end.
    pub ended_at: Option<DateTimeUtc>,
    /// The month with whose end the plan ends, or has ended; none when that end was a taking back.
    pub last: Option<Model>,
    /// When all that is paid for is over.
    paid_until: Option<DateTimeUtc>,
    /// All that have begun and count still, in the order in which they were given.
    begun: Vec<Model>,
    /// All that begin later, in the order in which they do.
    waiting: Vec<Model>,
}

/// # Errors
/// The database does not answer.
pub async fn cycles(db: &impl ConnectionTrait, user_id: i64, now: DateTimeUtc) -> Result<Cycles> {
    let mut months = allowances::all_of(db, user_id).await?;
    months.retain(|month| month.kind() == Kind::Quota);
    let (open, closed): (Vec<_>, Vec<_>) = months.into_iter().partition(|month| month.closed(now).is_none());
    let (mut waiting, begun): (Vec<_>, Vec<_>) = open.into_iter().partition(|month| month.starts_at > now);
    waiting.sort_by_key(|month| month.starts_at);
    let last_open = begun.iter().chain(&waiting).max_by_key(|month| month.expires_at);
    let last_closed = || closed.iter().max_by_key(|month| month.ended_at()).filter(|month| month.revoked_at.is_none());
    Ok(Cycles {
        last: last_open.or_else(last_closed).cloned(),
        running: begun.iter().max_by_key(|month| (month.available > 0, month.expires_at)).cloned(),
        queued: waiting.first().cloned(),
        ended_at: closed.iter().filter_map(Model::ended_at).max(),
        paid_until: begun.iter().chain(&waiting).filter_map(|month| month.expires_at).max(),
        begun,
        waiting,
    })
}

impl Cycles {
    #[must_use]
    pub const fn state(&self) -> State {
        match (&self.running, self.ended_at) {
            (Some(_), _) => State::Active,
            (None, Some(_)) => State::Expired,
            (None, None) => State::Never,
        }
    }

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

    /// A further month makes no break.
    pub(super) const fn goes_on(&self) -> bool {
        self.running.is_some() || self.queued.is_some()
    }

    pub(super) fn begun(&self) -> &[Model] {
        &self.begun
    }

    pub(super) fn waiting(&self) -> &[Model] {
        &self.waiting
    }
}
