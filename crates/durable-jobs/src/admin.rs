//! What operators do to the table, by Loco's `jobs` commands and job by job, and what is taken out of it in the end.
//!
//! | row | Loco's status |
//! |---|---|
//! | queued | Queued |
//! | running | Processing |
//! | done | Completed |
//! | dead | Failed |
//! | dead, with the error `cancelled` | Cancelled |

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use loco_rs::bgworker::{Job, JobStatus};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait,
    FromQueryResult, QueryFilter, QueryOrder, QueryResult, QueryTrait, Select, SqlErr, Statement,
    sea_query::{Alias, Expr, ExprTrait, Query},
};
use serde_json::Value;

use crate::{
    clock,
    entity::job::{Column, Entity, Model, State},
    jobs::{DEFAULT_QUEUE, Enqueued, identify},
    lease::skip_locked,
    redis::ADOPTED,
    tx,
};

/// `last_error` of a job that an operator cancelled or discarded. It is `dead` like one that was given up; this alone tells
/// that nobody waits for it.
pub const CANCELLED: &str = "cancelled";

/// Rows in one transaction of [`tidy`]: on `SQLite` nobody else writes meanwhile.
const PORTION: u64 = 1_000;
/// A job that another client pushed may come again, from a Redis that was brought back to what it was. It is known for so
/// long: ninety days.
const KNOWN_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Jobs of any of these statuses, created at least so many days ago.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    status: Option<&Vec<JobStatus>>,
    age_days: Option<i64>,
) -> Result<Vec<Job>, DbErr> {
    let which = which(status, cutoff(db, age_days).await?);
    let rows = rows(db, &Entity::find().filter(which).order_by_asc(Column::Id)).await?;
    let read = |row| Model::from_query_result(row, "").map(shown).or_else(|error| damaged(row, &error));
    rows.iter().map(read).collect()
}

/// Deletes jobs of any of these statuses, created at least so many days ago.
pub(crate) async fn delete(
    db: &impl ConnectionTrait,
    status: Option<&Vec<JobStatus>>,
    age_days: Option<i64>,
) -> Result<(), DbErr> {
    let which = which(status, cutoff(db, age_days).await?);
    let gone = Entity::delete_many().filter(which).exec(db).await?;
    tracing::info!(jobs = gone.rows_affected, "jobs: deleted");
    Ok(())
}

/// Deletes what has been over for so long: what is done, and what an operator cancelled. How many it were. What is dead
/// otherwise stays until somebody has decided about it.
///
/// Portion by portion, so that it can run beside everything else, and along an index, however long the table is.
///
/// # Errors
/// When the database refuses. What was deleted until then stays deleted.
pub async fn tidy(db: &DatabaseConnection, older_than: Duration) -> Result<u64, DbErr> {
    let now = clock::now(db).await?;
    let before = clock::before(now, older_than);
    let unknown_before = Ord::min(before, clock::before(now, KNOWN_FOR));
    let cancelled = format!("state = 'dead' AND last_error = '{CANCELLED}'");
    let mut gone = 0;
    // One after the other: of both at once `PostgreSQL` would read the whole table.
    for which in ["state = 'done'", cancelled.as_str()] {
        loop {
            let portion = tx::write(db, async |txn| delete_some(txn, which, before, unknown_before).await).await?;
            gone += portion;
            if portion < PORTION {
                break;
            }
        }
    }
    Ok(gone)
}

/// Nothing is over before it was created, and of that moment there is an index.
async fn delete_some(
    txn: &DatabaseTransaction,
    which: &str,
    before: DateTime<Utc>,
    unknown_before: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let backend = txn.get_database_backend();
    let sql = format!(
        "WITH gone AS MATERIALIZED (SELECT id FROM jobs WHERE {which} AND created_at < $1 AND finished_at < $1 \
         AND (dedupe_key IS NULL OR SUBSTR(dedupe_key, 1, {}) <> '{ADOPTED}' OR finished_at < $2) \
         ORDER BY created_at LIMIT {PORTION}{}) DELETE FROM jobs WHERE id IN (SELECT id FROM gone)",
        ADOPTED.len(),
        skip_locked(backend)
    );
    let delete = Statement::from_sql_and_values(backend, sql, [before.into(), unknown_before.into()]);
    Ok(txn.execute_raw(delete).await?.rows_affected())
}

/// Queued jobs of a class will not run.
pub(crate) async fn cancel(db: &impl ConnectionTrait, class: &str) -> Result<(), DbErr> {
    let now = clock::now(db).await?;
    let cancelled = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Dead))
        .col_expr(Column::LastError, Expr::value(CANCELLED))
        .col_expr(Column::FinishedAt, Expr::value(now))
        .filter(Column::Class.eq(class))
        .filter(Column::State.eq(State::Queued))
        .exec(db)
        .await?;
    tracing::info!(jobs = cancelled.rows_affected, class, "jobs: cancelled");
    Ok(())
}

/// Failed jobs, or the one, get all their attempts again. Each on its own: a key that is live meanwhile keeps its job
/// dead and no other.
pub(crate) async fn revive(db: &impl ConnectionTrait, id: Option<&str>) -> Result<Vec<Enqueued>, DbErr> {
    let mut dead = Entity::find().filter(is(&JobStatus::Failed)).order_by_asc(Column::Id);
    if let Some(id) = id {
        let Ok(id) = id.parse::<i64>() else { return Ok(Vec::new()) };
        dead = dead.filter(Column::Id.eq(id));
    }
    let mut revived = Vec::new();
    for row in rows(db, &dead).await? {
        let job = identify(&row)?;
        if bring_back(db, job.id, row.try_get("", "dedupe_key").unwrap_or_default()).await? {
            revived.push(job);
        }
    }
    Ok(revived)
}

/// One dead job gets all its attempts again, in the caller's transaction; `None` when it is not dead, or another job holds
/// its key. Hint the job once the transaction has committed.
///
/// # Errors
/// When the database refuses.
pub async fn retry(txn: &DatabaseTransaction, id: i64) -> Result<Option<Enqueued>, DbErr> {
    let dead = Entity::find().filter(Column::Id.eq(id)).filter(Column::State.eq(State::Dead));
    let Some(row) = rows(txn, &dead).await?.into_iter().next() else { return Ok(None) };
    let job = identify(&row)?;
    let is_back = bring_back(txn, id, row.try_get("", "dedupe_key").unwrap_or_default()).await?;
    Ok(is_back.then_some(job))
}

/// One job that waits, or is dead, is wanted no more, in the caller's transaction; `false` when it runs, is done or was
/// discarded before.
///
/// # Errors
/// When the database refuses.
pub async fn discard(txn: &DatabaseTransaction, id: i64) -> Result<bool, DbErr> {
    let gone = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Dead))
        .col_expr(Column::LastError, Expr::value(CANCELLED))
        .col_expr(Column::FinishedAt, Expr::value(clock::now(txn).await?))
        .filter(Column::Id.eq(id))
        .filter(Condition::any().add(is(&JobStatus::Queued)).add(is(&JobStatus::Failed)))
        .exec(txn)
        .await?;
    Ok(gone.rows_affected == 1)
}

async fn bring_back(db: &impl ConnectionTrait, id: i64, key: Option<String>) -> Result<bool, DbErr> {
    let now = clock::now(db).await?;
    let live = Query::select()
        .expr(Expr::val(1))
        .from_as(Entity, Alias::new("live"))
        .and_where(Expr::col((Alias::new("live"), Column::DedupeKey)).eq(key))
        .and_where(Expr::col((Alias::new("live"), Column::State)).is_in([State::Queued, State::Running]))
        .take();
    let update = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Queued))
        .col_expr(Column::Attempts, Expr::value(0))
        .col_expr(Column::RunAt, Expr::value(now))
        .col_expr(Column::FinishedAt, Expr::value(None::<DateTime<Utc>>))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(State::Dead))
        .filter(Expr::exists(live).not());
    match update.exec(db).await {
        Ok(result) => Ok(result.rows_affected == 1),
        // Somebody enqueued under the same key between our look and our write.
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Row by row, so that one which cannot be read keeps nobody from the others.
async fn rows(db: &impl ConnectionTrait, select: &Select<Entity>) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all_raw(select.build(db.get_database_backend())).await
}

async fn cutoff(db: &impl ConnectionTrait, age_days: Option<i64>) -> Result<Option<DateTime<Utc>>, DbErr> {
    let Some(days) = age_days else { return Ok(None) };
    let now = clock::now(db).await?;
    Ok(TimeDelta::try_days(days).and_then(|age| now.checked_sub_signed(age)))
}

fn which(status: Option<&Vec<JobStatus>>, created_before: Option<DateTime<Utc>>) -> Condition {
    let any = status.map(|all| all.iter().fold(Condition::any(), |any, one| any.add(is(one))));
    Condition::all().add_option(any).add_option(created_before.map(|moment| Column::CreatedAt.lte(moment)))
}

fn is(status: &JobStatus) -> Condition {
    let (state, cancelled) = match status {
        JobStatus::Queued => (State::Queued, None),
        JobStatus::Processing => (State::Running, None),
        JobStatus::Completed => (State::Done, None),
        JobStatus::Cancelled => (State::Dead, Some(Column::LastError.eq(CANCELLED))),
        JobStatus::Failed => (State::Dead, Some(Column::LastError.is_null().or(Column::LastError.ne(CANCELLED)))),
        // `JobStatus` is open. Of a status that Loco adds later there are no jobs.
        _ => return Condition::all().add(Column::Id.is_null()),
    };
    Condition::all().add(Column::State.eq(state)).add_option(cancelled)
}

fn status(state: State, last_error: Option<&str>) -> JobStatus {
    match state {
        State::Queued => JobStatus::Queued,
        State::Running => JobStatus::Processing,
        State::Done => JobStatus::Completed,
        State::Dead if last_error == Some(CANCELLED) => JobStatus::Cancelled,
        State::Dead => JobStatus::Failed,
    }
}

fn shown(job: Model) -> Job {
    Job {
        id: job.id.to_string(),
        name: job.class,
        data: serde_json::from_str(&job.args).unwrap_or(Value::String(job.args)),
        status: status(job.state, job.last_error.as_deref()),
        run_at: job.run_at,
        interval: None,
        created_at: Some(job.created_at),
        updated_at: job.finished_at.or(job.hinted_at).or(Some(job.created_at)),
        tags: (job.queue != DEFAULT_QUEUE).then(|| vec![job.queue]),
        priority: job.priority,
    }
}

/// What can be read of a row that is no job, with the reason in place of its arguments.
fn damaged(row: &QueryResult, error: &DbErr) -> Result<Job, DbErr> {
    let job = identify(row)?;
    let last_error: Option<String> = row.try_get("", "last_error").unwrap_or_default();
    Ok(Job {
        id: job.id.to_string(),
        name: job.class,
        data: Value::String(format!("unreadable: {error}")),
        status: status(row.try_get("", "state")?, last_error.as_deref()),
        run_at: row.try_get("", "run_at").unwrap_or_default(),
        interval: None,
        created_at: row.try_get("", "created_at").ok(),
        updated_at: None,
        tags: None,
        priority: row.try_get("", "priority").unwrap_or_default(),
    })
}
