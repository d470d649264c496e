//! The one clock that is compared with: the database's on `PostgreSQL`, the process's on `SQLite` (one host).
//! Moments are UTC, microseconds, and always written by the application, never by a column default.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use durable_jobs::clock::{after, microseconds};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, prelude::DateTimeUtc};

#[cfg(debug_assertions)]
pub use doors::at;

/// `PostgreSQL` is asked for the time no more often than this; in between its clock is reckoned from our own. A picture
/// wants to know the time thirty times, and each question is a round trip.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// An answer that took longer says too little about the moment at which it was given: it is used, and not reckoned from.
const PROMPT: Duration = Duration::from_millis(10);

/// Reckoned times that are off by no more are gone on with, so that the clock of a process does not jump back and forth.
const NEAR: TimeDelta = TimeDelta::milliseconds(5);

/// When our two clocks disagree by more about how long ago that was, this machine slept, or was set.
const ASTRAY: TimeDelta = TimeDelta::milliseconds(20);

/// # Errors
/// The database does not answer.
#[cfg(debug_assertions)]
pub async fn now(db: &impl ConnectionTrait) -> Result<DateTimeUtc, DbErr> {
    match doors::moment() {
        Some(moment) => Ok(moment),
        None => Ok(reckoned(db).await? + doors::offset()),
    }
}

/// # Errors
/// The database does not answer.
#[cfg(not(debug_assertions))]
pub async fn now(db: &impl ConnectionTrait) -> Result<DateTimeUtc, DbErr> {
    reckoned(db).await
}

/// What the database's clock said, and what ours said then.
#[derive(Debug, Clone, Copy)]
struct Sight {
    there: DateTimeUtc,
    here: DateTimeUtc,
    at: Instant,
}

static LAST: Mutex<Option<Sight>> = Mutex::new(None);

async fn reckoned(db: &impl ConnectionTrait) -> Result<DateTimeUtc, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return durable_jobs::clock::now(db).await;
    }
    let last = *LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(now) = last.filter(|sight| sight.at.elapsed() < ASKED_EVERY).and_then(Sight::carried_on) {
        return Ok(now);
    }
    let asked = Instant::now();
    let there = durable_jobs::clock::now(db).await?;
    let took = asked.elapsed();
    if took > PROMPT {
        return Ok(there);
    }
    let there = after(there, took / 2);
    let going_on = last.and_then(Sight::carried_on).filter(|now| (there - *now).abs() < NEAR);
    let there = going_on.unwrap_or(there);
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Sight { there, here: ours(), at: Instant::now() });
    Ok(microseconds(there))
}

impl Sight {
    /// What that clock says now. `None` when ours cannot tell how long ago that was.
    fn carried_on(self) -> Option<DateTimeUtc> {
        let passed = self.at.elapsed();
        let by_the_clock = ours() - self.here;
        let differ = (by_the_clock - TimeDelta::from_std(passed).ok()?).abs();
        (differ < ASTRAY).then(|| microseconds(after(self.there, passed)))
    }
}

#[expect(clippy::disallowed_methods, reason = "only to see how much time has passed; moments come from the database")]
fn ours() -> DateTimeUtc {
    Utc::now()
}

/// How tests move time; a release build has no such doors.
#[cfg(debug_assertions)]
mod doors {
    use std::sync::LazyLock;

    use chrono::TimeDelta;
    use sea_orm::prelude::DateTimeUtc;

    tokio::task_local! {
        static MOMENT: DateTimeUtc;
    }

    /// Everything that `work` does happens at this moment.
    pub async fn at<T>(moment: DateTimeUtc, work: impl Future<Output = T>) -> T {
        MOMENT.scope(moment, work).await
    }

    pub(super) fn moment() -> Option<DateTimeUtc> {
        MOMENT.try_with(|moment| *moment).ok()
    }

    /// `NPROXY_CLOCK_OFFSET`, seconds: for a whole process.
    pub(super) fn offset() -> TimeDelta {
        static OFFSET: LazyLock<i64> = LazyLock::new(|| {
            #[expect(clippy::disallowed_methods, reason = "a door for tests only, absent from release builds")]
            let seconds = std::env::var("NPROXY_CLOCK_OFFSET");
            seconds.ok().and_then(|s| s.parse().ok()).unwrap_or(0)
        });
        TimeDelta::seconds(*OFFSET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(ago: Duration, here_ago: TimeDelta) -> Sight {
        let there = DateTimeUtc::UNIX_EPOCH;
        Sight { there, here: ours() - here_ago, at: Instant::now().checked_sub(ago).unwrap() }
    }

    #[test]
    fn the_database_clock_is_carried_on_by_ours() {
        let now = sight(Duration::from_millis(500), TimeDelta::milliseconds(500)).carried_on().unwrap();
        let passed = now - DateTimeUtc::UNIX_EPOCH;
        assert!(passed >= TimeDelta::milliseconds(500) && passed < TimeDelta::seconds(30), "{passed}");
    }

    #[test]
    fn a_machine_that_slept_or_was_set_asks_again() {
        let half = Duration::from_millis(500);
        assert!(sight(half, TimeDelta::hours(1)).carried_on().is_none(), "it slept for an hour");
        assert!(sight(half, TimeDelta::seconds(-5)).carried_on().is_none(), "it was set back");
    }
}
