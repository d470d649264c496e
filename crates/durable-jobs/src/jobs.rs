//! A job before it runs: what to enqueue, and enqueueing it inside the caller's transaction.

use std::time::Duration;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryResult, TryInsertResult,
    sea_query::OnConflict,
};
use serde_json::Value;

use crate::{
    clock,
    entity::job::{ActiveModel, Column, Entity, State},
};

/// The queue of a job that names none.
pub const DEFAULT_QUEUE: &str = "default";

/// Attempts of a job that names no number. With the default backoff they span about a quarter of an hour.
pub const DEFAULT_ATTEMPTS: i32 = 10;

/// Of work that takes long. What is quick lies before it in the index, so that neither is looked for among the other.
const LONG_PRIORITY: i32 = -1;

/// How often a key may be freed and taken again by others between our INSERT and our look at who holds it.
const DEDUPE_TRIES: usize = 5;

/// A job to be inserted.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Name of the worker: Loco's `class_name()`.
    pub class: String,
    /// What the worker's `perform` gets. Ids, not rows and not secrets.
    pub args: Value,
    /// Which runners may take it: all, or those started with this tag.
    pub queue: String,
    /// Higher runs first.
    pub priority: i32,
    /// Not before this long from now.
    pub run_in: Option<Duration>,
    /// Attempts in all, at least 1; the last failure makes the job `dead`.
    pub max_attempts: i32,
    /// At most one job that is queued or running holds a key.
    pub dedupe_key: Option<String>,
}

impl NewJob {
    /// A job of the default queue and priority, due now.
    #[must_use]
    pub fn new(class: impl Into<String>, args: Value) -> Self {
        Self {
            class: class.into(),
            args,
            queue: DEFAULT_QUEUE.to_owned(),
            priority: 0,
            run_in: None,
            max_attempts: DEFAULT_ATTEMPTS,
            dedupe_key: None,
        }
    }

    /// Only if no job under `key` is queued or running.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.dedupe_key = Some(key.into());
        self
    }

    /// Due only after `wait`.
    #[must_use]
    pub fn in_(mut self, wait: Duration) -> Self {
        self.run_in = Some(wait);
        self
    }

    /// So many attempts in all.
    #[must_use]
    pub fn attempts(mut self, max: i32) -> Self {
        self.max_attempts = max;
        self
    }

    /// In this queue.
    #[must_use]
    pub fn on(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Work that takes long: its priority is below zero, and runners keep some of their slots from it
    /// (`Settings::long_queues`, of which its queue should be one).
    #[must_use]
    pub fn long(mut self) -> Self {
        self.priority = Ord::min(self.priority, LONG_PRIORITY);
        self
    }

    /// Before jobs of a lower priority.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
}

/// A job that is in the table, or will be when the caller's transaction commits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "hint the runners after the commit"]
pub struct Enqueued {
    /// Its row.
    pub id: i64,
    /// Its queue.
    pub queue: String,
    /// Its worker.
    pub class: String,
    /// True when the row was there already, live under the same key; nothing was inserted.
    pub duplicate: bool,
}

/// Inserts a job through `db`: inside the caller's transaction it exists if and only if that transaction commits.
///
/// A live job under the same `dedupe_key` is returned instead, never an error (an error would abort a transaction on
/// `PostgreSQL`). It keeps its own arguments and moment. A running job is live too: what must happen after it needs a
/// key of its own. While another transaction holds the key uncommitted, this waits for its end.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue(db: &impl ConnectionTrait, job: NewJob) -> Result<Enqueued, DbErr> {
    let now = clock::now(db).await?;
    let row = ActiveModel {
        class: Set(job.class.clone()),
        args: Set(job.args.to_string()),
        queue: Set(job.queue.clone()),
        priority: Set(job.priority),
        state: Set(State::Queued),
        run_at: Set(job.run_in.map_or(now, |wait| clock::after(now, wait))),
        attempts: Set(0),
        max_attempts: Set(job.max_attempts.max(1)),
        dedupe_key: Set(job.dedupe_key.clone()),
        created_at: Set(now),
        ..ActiveModel::default()
    };
    for _ in 0..DEDUPE_TRIES {
        let nothing = OnConflict::new().do_nothing().to_owned();
        let inserted = Entity::insert(row.clone()).on_conflict(nothing).try_insert().exec(db).await?;
        let (id, duplicate) = match inserted {
            TryInsertResult::Inserted(row) => (row.last_insert_id, false),
            TryInsertResult::Conflicted | TryInsertResult::Empty => match live(db, job.dedupe_key.as_deref()).await? {
                Some(id) => (id, true),
                None => continue, // it ended just now
            },
        };
        return Ok(Enqueued { id, queue: job.queue, class: job.class, duplicate });
    }
    Err(DbErr::Custom(format!("job {}: its dedupe key is freed and taken faster than it can be read", job.class)))
}

async fn live(db: &impl ConnectionTrait, key: Option<&str>) -> Result<Option<i64>, DbErr> {
    let Some(key) = key else { return Ok(None) };
    let holder = Entity::find()
        .filter(Column::DedupeKey.eq(key))
        .filter(Column::State.is_in([State::Queued, State::Running]))
        .one(db)
        .await?;
    Ok(holder.map(|job| job.id))
}

/// Which job a row is. What of it is damaged is left empty: one such row must keep nobody from the others.
pub(crate) fn identify(row: &QueryResult) -> Result<Enqueued, DbErr> {
    Ok(Enqueued {
        id: row.try_get("", "id")?,
        queue: row.try_get("", "queue").unwrap_or_default(),
        class: row.try_get("", "class").unwrap_or_default(),
        duplicate: false,
    })
}
