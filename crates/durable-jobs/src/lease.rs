//! A job while it runs: claimed under a fencing token, and ended only by who still holds it.
//!
//! Every write here but the claim carries the token. Answering `false` means: the job is no longer yours, whatever you
//! found out about it does not count.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DatabaseBackend, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryResult,
    Statement, UpdateMany, Value as Bound,
    sea_query::{Expr, SimpleExpr},
};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    clock,
    entity::job::{Column, Entity, State},
    settings::DeadJob,
};

/// Errors are kept to read, not to search: longer ones are cut.
const LONGEST_ERROR: usize = 2_000;

/// A job and the right to run it.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub id: i64,
    pub class: String,
    pub queue: String,
    /// It takes long: see [`crate::NewJob::long`].
    pub is_long: bool,
    /// `Err` when the row cannot be read as a job.
    pub args: Result<Value, String>,
    pub attempt: i32,
    pub max_attempts: i32,
    pub token: i64,
    pub since: Instant,
}

impl Claimed {
    pub(crate) fn dead(&self, error: impl Into<String>) -> DeadJob {
        let (class, queue) = (self.class.clone(), self.queue.clone());
        DeadJob { id: self.id, class, queue, attempts: self.attempt, error: error.into() }
    }
}

/// Rows of a worker table are taken with this appended to the subselect, so that processes pass one another by.
pub(crate) fn skip_locked(backend: DatabaseBackend) -> &'static str {
    if backend == DatabaseBackend::Postgres { " FOR UPDATE SKIP LOCKED" } else { "" }
}

/// `SQLite` knows nothing of how many jobs wait, and would rather sort all of them.
fn along_the_queue(backend: DatabaseBackend) -> &'static str {
    if backend == DatabaseBackend::Sqlite { " INDEXED BY idx_jobs_claim" } else { "" }
}

/// A claim that is about to be asked for.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Ask {
    pub token: i64,
    /// The lease is certain to hold until `since` + lease.
    pub since: Instant,
}

impl Ask {
    pub(crate) fn new() -> Self {
        Self { token: rand::random_range(1..=i64::MAX), since: Instant::now() }
    }
}

/// What a claim is for.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// Jobs of these queues; of all if it names none.
    pub queues: &'a [String],
    /// So many of them …
    pub jobs: usize,
    /// … and so many at most that take long.
    pub long: usize,
}

/// Takes the most urgent of the jobs that are due, and says as of when. A database that comes to it only after `patience`, when
/// nobody listens any more, takes none.
pub(crate) async fn claim(
    db: &impl ConnectionTrait,
    ask: Ask,
    owner: &str,
    (lease, patience): (Duration, Duration),
    wanted: Wanted<'_>,
) -> Result<(DateTime<Utc>, Vec<Claimed>), DbErr> {
    let now = clock::now(db).await?;
    let backend = db.get_database_backend();
    let mut values: Vec<Bound> = vec![
        now.into(),
        bound(wanted.jobs),
        ask.token.into(),
        owner.into(),
        clock::after(now, lease).into(),
        clock::after(now, patience).into(),
    ];
    let (not_yet, among) = (clock::not_yet("$6", backend), among(wanted.queues, &mut values));
    let some = |which: &str, limit: &str| {
        format!(
            "SELECT id FROM jobs{} WHERE state = 'queued' AND run_at <= $1 AND {not_yet}{among}{which} \
             ORDER BY priority DESC, run_at, id LIMIT {limit}{}",
            along_the_queue(backend),
            skip_locked(backend)
        )
    };
    // A CTE, unlike a plain subselect, is evaluated once, so that its limit is one on PostgreSQL too.
    let due = if wanted.long >= wanted.jobs {
        format!("due AS MATERIALIZED ({})", some("", "$2"))
    } else {
        values.push(bound(wanted.long));
        format!(
            "quick AS MATERIALIZED ({}), long AS MATERIALIZED ({}), \
             due AS MATERIALIZED (SELECT id FROM quick UNION ALL SELECT id FROM long LIMIT $2)",
            some(" AND priority >= 0", "$2"),
            some(" AND priority < 0", &format!("${}", values.len()))
        )
    };
    let sql = format!(
        "WITH {due} UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_token = $3, lease_owner = $4, \
         lease_expires_at = $5 WHERE id IN (SELECT id FROM due) \
         RETURNING id, class, args, queue, priority, attempts, max_attempts"
    );
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        let priority: i32 = row.try_get("", "priority").unwrap_or_default();
        claimed.push((priority, read(row, ask, priority < 0)?));
    }
    claimed.sort_by_key(|(priority, job)| (-i64::from(*priority), job.id));
    Ok((now, claimed.into_iter().map(|(_, job)| job).collect()))
}

/// How long until the next job is due of those that were not at `then`, as far as the table knows. Nothing if it has become due
/// since.
pub(crate) async fn next_due(
    db: &impl ConnectionTrait,
    queues: &[String],
    then: DateTime<Utc>,
) -> Result<Option<Duration>, DbErr> {
    let now = clock::now(db).await?;
    let mut values: Vec<Bound> = vec![then.into()];
    let among = among(queues, &mut values);
    let sql = format!("SELECT MIN(run_at) AS due FROM jobs WHERE state = 'queued' AND run_at > $1{among}");
    let ask = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let Some(row) = db.query_one_raw(ask).await? else { return Ok(None) };
    let due: Option<DateTime<Utc>> = row.try_get("", "due")?;
    Ok(due.map(|due| (due - now).to_std().unwrap_or_default()))
}

/// Renews the lease.
pub(crate) async fn extend(db: &impl ConnectionTrait, job: &Claimed, lease: Duration) -> Result<bool, DbErr> {
    let until = clock::after(clock::now(db).await?, lease);
    apply(db, mine(job).col_expr(Column::LeaseExpiresAt, Expr::value(until))).await
}

/// The handler answered `Ok`.
pub(crate) async fn finish(db: &impl ConnectionTrait, job: &Claimed) -> Result<bool, DbErr> {
    let now = clock::expression(db.get_database_backend());
    let done = ended(mine(job), State::Done, now).col_expr(Column::LastError, Expr::value(None::<String>));
    apply(db, done).await
}

/// The handler failed, and there are attempts left.
pub(crate) async fn retry(
    db: &impl ConnectionTrait,
    job: &Claimed,
    wait: Duration,
    error: &str,
) -> Result<bool, DbErr> {
    let run_at = clock::after(clock::now(db).await?, wait);
    let again = queued(mine(job), run_at).col_expr(Column::LastError, Expr::value(readable(error)));
    apply(db, again).await
}

/// Nobody shall try again.
pub(crate) async fn bury(db: &impl ConnectionTrait, job: &Claimed, error: &str) -> Result<bool, DbErr> {
    let now = clock::now(db).await?;
    let dead =
        ended(mine(job), State::Dead, Expr::value(now)).col_expr(Column::LastError, Expr::value(readable(error)));
    apply(db, dead).await
}

/// Nobody here knows the class. It waits for somebody who does, and the attempt is not counted.
pub(crate) async fn park(db: &impl ConnectionTrait, job: &Claimed, wait: Duration) -> Result<bool, DbErr> {
    let run_at = clock::after(clock::now(db).await?, wait);
    let parked = uncounted(queued(mine(job), run_at));
    apply(db, parked.col_expr(Column::LastError, Expr::value("unknown class"))).await
}

/// We are stopping: somebody else may have it at once, and the attempt is not counted.
pub(crate) async fn give_back(db: &impl ConnectionTrait, job: &Claimed) -> Result<bool, DbErr> {
    let now = clock::now(db).await?;
    apply(db, uncounted(queued(mine(job), now))).await
}

/// What these claims took goes back at once, and no attempt is counted: nobody heard that they were granted.
pub(crate) async fn disclaim(db: &impl ConnectionTrait, tokens: &[i64]) -> Result<u64, DbErr> {
    let now = clock::now(db).await?;
    let unheard = Entity::update_many().filter(Column::LeaseToken.is_in(tokens.iter().copied())).filter(is_running());
    Ok(uncounted(queued(unheard, now)).exec(db).await?.rows_affected)
}

fn mine(job: &Claimed) -> UpdateMany<Entity> {
    Entity::update_many().filter(Column::Id.eq(job.id)).filter(Column::LeaseToken.eq(job.token)).filter(is_running())
}

/// In the words of the partial index: bound, `SQLite` would plan anew at each execution to see whether it fits.
fn is_running() -> SimpleExpr {
    Expr::col((Entity, Column::State)).eq(SimpleExpr::Constant(State::Running.to_value().into()))
}

fn queued(update: UpdateMany<Entity>, run_at: DateTime<Utc>) -> UpdateMany<Entity> {
    lapsed(update, State::Queued).col_expr(Column::RunAt, Expr::value(run_at))
}

fn ended(update: UpdateMany<Entity>, state: State, now: SimpleExpr) -> UpdateMany<Entity> {
    lapsed(update, state).col_expr(Column::FinishedAt, now)
}

fn uncounted(update: UpdateMany<Entity>) -> UpdateMany<Entity> {
    update.col_expr(Column::Attempts, Expr::col(Column::Attempts).sub(1))
}

fn lapsed(update: UpdateMany<Entity>, state: State) -> UpdateMany<Entity> {
    update
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::LeaseToken, Expr::value(None::<i64>))
        .col_expr(Column::LeaseOwner, Expr::value(None::<String>))
        .col_expr(Column::LeaseExpiresAt, Expr::value(None::<DateTime<Utc>>))
}

async fn apply(db: &impl ConnectionTrait, update: UpdateMany<Entity>) -> Result<bool, DbErr> {
    Ok(update.exec(db).await?.rows_affected == 1)
}

fn among(queues: &[String], values: &mut Vec<Bound>) -> String {
    if queues.is_empty() {
        return String::new();
    }
    let mut places = Vec::with_capacity(queues.len());
    for queue in queues {
        values.push(queue.as_str().into());
        places.push(format!("${}", values.len()));
    }
    format!(" AND queue IN ({})", places.join(", "))
}

fn bound(number: usize) -> Bound {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// A row is read column by column: one that is damaged is this job's trouble and nobody else's.
fn read(row: &QueryResult, ask: Ask, is_long: bool) -> Result<Claimed, DbErr> {
    let class = row.try_get::<String>("", "class");
    let args = match (&class, row.try_get::<String>("", "args")) {
        (Err(error), _) => Err(format!("malformed class: {error}")),
        (_, Err(error)) => Err(format!("malformed args: {error}")),
        (Ok(_), Ok(text)) => serde_json::from_str(&text).map_err(|error| format!("malformed args: {error}")),
    };
    Ok(Claimed {
        id: row.try_get("", "id")?,
        class: class.unwrap_or_default(),
        queue: row.try_get("", "queue").unwrap_or_default(),
        is_long,
        args,
        attempt: row.try_get("", "attempts").unwrap_or(i32::MAX),
        max_attempts: row.try_get("", "max_attempts").unwrap_or(1),
        token: ask.token,
        since: ask.since,
    })
}

/// An error as the database can hold it.
fn readable(error: &str) -> String {
    error.chars().filter(|c| *c != '\0').take(LONGEST_ERROR).collect()
}
