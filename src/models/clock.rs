//! The one clock that is compared with: the database's on `PostgreSQL`, the process's on `SQLite` (one host).
//! Moments are UTC, microseconds, and always written by the application, never by a column default.

use sea_orm::{ConnectionTrait, DbErr, prelude::DateTimeUtc};

#[cfg(debug_assertions)]
pub use doors::at;

/// # Errors
/// The database does not answer.
#[cfg(debug_assertions)]
pub async fn now(db: &impl ConnectionTrait) -> Result<DateTimeUtc, DbErr> {
    match doors::moment() {
        Some(moment) => Ok(moment),
        None => Ok(durable_jobs::clock::now(db).await? + doors::offset()),
    }
}

/// # Errors
/// The database does not answer.
#[cfg(not(debug_assertions))]
pub async fn now(db: &impl ConnectionTrait) -> Result<DateTimeUtc, DbErr> {
    durable_jobs::clock::now(db).await
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
