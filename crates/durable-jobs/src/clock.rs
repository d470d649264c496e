//! The one clock. Every moment that is stored or compared comes from here.
//!
//! On `PostgreSQL` it is the clock of the database, so that hosts need not agree; on `SQLite`, where there is one host,
//! it is the clock of the process. Microseconds on both. Never use a column default instead: `SQLite` compares moments as
//! text, and only moments written in one format compare right.

use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DbErr, Statement,
    sea_query::{Expr, SimpleExpr},
};

/// Longer waits than this are cut to it: a hundred years.
const FAR: TimeDelta = TimeDelta::days(36_525);

/// The present moment, to the microsecond.
///
/// # Errors
/// When the database cannot be asked.
pub async fn now(db: &impl ConnectionTrait) -> Result<DateTime<Utc>, DbErr> {
    match db.get_database_backend() {
        DatabaseBackend::Postgres => {
            let ask = Statement::from_string(DatabaseBackend::Postgres, "SELECT clock_timestamp() AS now");
            let row = db.query_one_raw(ask).await?;
            row.ok_or_else(|| DbErr::RecordNotFound("the clock".to_owned()))?.try_get("", "now")
        }
        _ => Ok(process()),
    }
}

/// The clock of the process: what is shown to people may come from it, and nothing else.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub(crate) fn process() -> DateTime<Utc> {
    microseconds(Utc::now())
}

/// The present moment as part of a statement, asked once for it: where `PostgreSQL` runs the statement, its clock need not be
/// asked before.
pub(crate) fn expression(backend: DatabaseBackend) -> SimpleExpr {
    match backend {
        DatabaseBackend::Postgres => Expr::cust("(SELECT clock_timestamp())"),
        _ => Expr::value(process()),
    }
}

/// SQL that is true while this clock, looked at when the statement runs, has not come to the moment `place`.
pub(crate) fn not_yet(place: &str, backend: DatabaseBackend) -> String {
    match backend {
        // A subselect is asked once per statement, not once per row.
        DatabaseBackend::Postgres => format!("(SELECT clock_timestamp()) < {place}"),
        _ => format!("julianday('now') < julianday({place})"),
    }
}

/// `at`, later by `wait`.
#[must_use]
pub fn after(at: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    at.checked_add_signed(delta(wait)).unwrap_or(at)
}

/// `at`, earlier by `wait`.
#[must_use]
pub fn before(at: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    at.checked_sub_signed(delta(wait)).unwrap_or(at)
}

/// `at` without what the databases cannot store.
#[must_use]
pub fn microseconds(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(at)
}

fn delta(wait: Duration) -> TimeDelta {
    TimeDelta::from_std(wait).map_or(FAR, |wait| wait.min(FAR))
}
