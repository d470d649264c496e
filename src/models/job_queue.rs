//! What operators see of the job queue; what they do about one job is in `jobs.rs`. The queue itself is
//! `crates/durable-jobs`.

use chrono::TimeDelta;
use durable_jobs::entity::job::{Column, Entity};
use loco_rs::Result;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::DateTimeUtc,
};

use super::clock;

pub use durable_jobs::entity::job::{Model, State};

/// One page of a list.
const LISTED: u64 = 50;

/// How the queue stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Due and not begun.
    pub waiting: u64,
    /// How long the first of them has waited.
    pub oldest: TimeDelta,
    pub running: u64,
    pub dead: u64,
}

/// # Errors
/// The database does not answer.
pub async fn queue(db: &impl ConnectionTrait) -> Result<Queue> {
    let now = clock::now(db).await?;
    let due = || Entity::find().filter(Column::State.eq(State::Queued)).filter(Column::RunAt.lte(now));
    let first: Option<DateTimeUtc> =
        due().order_by_asc(Column::RunAt).select_only().column(Column::RunAt).into_tuple().one(db).await?;
    let count = |state: State| Entity::find().filter(Column::State.eq(state)).count(db);
    Ok(Queue {
        waiting: due().count(db).await?,
        oldest: first.map_or(TimeDelta::zero(), |since| now - since),
        running: count(State::Running).await?,
        dead: count(State::Dead).await?,
    })
}

/// Jobs in this state, the newest first; `before` goes on where a page ended.
///
/// # Errors
/// The database does not answer.
pub async fn list(db: &impl ConnectionTrait, state: State, before: Option<i64>) -> Result<Vec<Model>> {
    let mut jobs = Entity::find().filter(Column::State.eq(state));
    if let Some(before) = before {
        jobs = jobs.filter(Column::Id.lt(before));
    }
    Ok(jobs.order_by_desc(Column::Id).limit(LISTED).all(db).await?)
}
