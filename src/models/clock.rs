//! The one clock that is compared with: the database's on `PostgreSQL`, the process's on `SQLite` (one host).
//! Moments are UTC, microseconds, and always written by the application, never by a column default.

use sea_orm::{ConnectionTrait, DbErr, prelude::DateTimeUtc};

/// # Errors
/// The database does not answer.
pub async fn now(db: &impl ConnectionTrait) -> Result<DateTimeUtc, DbErr> {
    Ok(durable_jobs::clock::now(db).await? + offset())
}

/// Tests move time with `NPROXY_CLOCK_OFFSET` (seconds); a release build has no such door.
#[cfg(debug_assertions)]
fn offset() -> chrono::TimeDelta {
    use std::sync::LazyLock;
    static OFFSET: LazyLock<i64> = LazyLock::new(|| {
        #[expect(clippy::disallowed_methods, reason = "a door for tests only, absent from release builds")]
        let seconds = std::env::var("NPROXY_CLOCK_OFFSET");
        seconds.ok().and_then(|s| s.parse().ok()).unwrap_or(0)
    });
    chrono::TimeDelta::seconds(*OFFSET)
}

#[cfg(not(debug_assertions))]
const fn offset() -> chrono::TimeDelta {
    chrono::TimeDelta::zero()
}
