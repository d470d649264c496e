//! What nobody holds any more: expired leases go back to the queue, forgotten jobs are hinted again.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value as Bound};

use crate::{clock, jobs::identify, lease::skip_locked, provider::Inner, settings::DeadJob};

/// Rows per statement. A full batch is followed by the next at once.
const BATCH: usize = 500;
/// A due job is hinted again when the last hint is older than this.
const HINT_STALE: Duration = Duration::from_secs(30);

/// Leases that are over: their jobs are queued at once, without a backoff, or dead if that was the last attempt.
pub(crate) async fn reap(inner: &Arc<Inner>) -> Result<Duration, DbErr> {
    let now = clock::now(&inner.db).await?;
    let freed = release_expired(inner, now).await?;
    Ok(if freed < BATCH { inner.settings.reap_every } else { Duration::ZERO })
}

/// Releases leases that were over at `before`; how many it were.
pub(crate) async fn release_expired(inner: &Inner, before: DateTime<Utc>) -> Result<usize, DbErr> {
    let now = clock::now(&inner.db).await?;
    let dead = update(
        &inner.db,
        "state = 'running' AND lease_expires_at < $1 AND attempts >= max_attempts",
        "state = 'dead', finished_at = $2, lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL, \
         last_error = 'the worker died in attempt ' || CAST(attempts AS TEXT) || ' of ' || CAST(max_attempts AS TEXT)",
        [before.into(), now.into()],
    )
    .await?;
    for row in &dead {
        let job = identify(row)?;
        inner.alert(DeadJob {
            id: job.id,
            class: job.class,
            queue: job.queue,
            attempts: row.try_get("", "attempts").unwrap_or_default(),
            error: row.try_get("", "last_error").unwrap_or_default(),
        });
    }
    let again = update(
        &inner.db,
        "state = 'running' AND lease_expires_at < $1 AND attempts < max_attempts",
        "state = 'queued', run_at = $2, hinted_at = $2, lease_token = NULL, lease_owner = NULL, \
         lease_expires_at = NULL, \
         last_error = 'the worker died in attempt ' || CAST(attempts AS TEXT) || ' of ' || CAST(max_attempts AS TEXT)",
        [before.into(), now.into()],
    )
    .await?;
    for row in &again {
        let job = identify(row)?;
        tracing::warn!(job.id, job.class, "job's worker died, queued again");
        inner.transport.notify(&inner.db, &job);
    }
    Ok(dead.len().max(again.len()))
}

/// Due jobs whose hint was lost, or whose enqueuer died between the commit and the hint.
pub(crate) async fn sweep(inner: &Arc<Inner>) -> Result<Duration, DbErr> {
    let now = clock::now(&inner.db).await?;
    let stale = clock::before(now, HINT_STALE);
    let forgotten = update(
        &inner.db,
        "state = 'queued' AND run_at <= $1 AND COALESCE(hinted_at, run_at) < $2",
        "hinted_at = $1",
        [now.into(), stale.into()],
    )
    .await?;
    let jobs = forgotten.iter().map(identify).collect::<Result<Vec<_>, _>>()?;
    inner.transport.remind(&inner.db, &jobs).await?;
    Ok(if forgotten.len() < BATCH { inner.settings.sweep_every } else { Duration::ZERO })
}

/// One conditional UPDATE of a batch; two processes at it pass one another by.
async fn update(
    db: &impl ConnectionTrait,
    which: &str,
    change: &str,
    values: [Bound; 2],
) -> Result<Vec<QueryResult>, DbErr> {
    let backend = db.get_database_backend();
    let sql = format!(
        "WITH due AS MATERIALIZED (SELECT id FROM jobs WHERE {which} ORDER BY id LIMIT {BATCH}{}) \
         UPDATE jobs SET {change} WHERE id IN (SELECT id FROM due) RETURNING id, class, queue, attempts, last_error",
        skip_locked(backend)
    );
    db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await
}
