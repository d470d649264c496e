//! What operators see of the job queue; what they do about one job is in `jobs.rs`. The queue itself is
//! `crates/durable-jobs`.

use std::collections::HashMap;

use chrono::TimeDelta;
use durable_jobs::{
    CANCELLED,
    entity::job::{Column, Entity},
};
use loco_rs::Result;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect, QueryTrait, prelude::DateTimeUtc, sea_query::Expr,
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

/// A job that was given up and not discarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    pub id: i64,
    pub class: String,
    /// JSON.
    pub args: String,
    pub attempts: i32,
    /// The beginning of the last error.
    pub reason: Option<String>,
    pub created_at: DateTimeUtc,
    pub finished_at: DateTimeUtc,
}

impl GivenUp {
    /// A damaged row was given up for just that, and keeps nobody from the others: what cannot be read is left empty.
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            id: row.try_get("", "id")?,
            class: row.try_get("", "class").unwrap_or_default(),
            args: row.try_get("", "args").unwrap_or_default(),
            attempts: row.try_get("", "attempts").unwrap_or_default(),
            reason: row.try_get("", "reason").unwrap_or_default(),
            created_at: row.try_get("", "created_at").unwrap_or_default(),
            finished_at: row.try_get("", "finished_at").unwrap_or_default(),
        })
    }
}

/// Jobs that somebody should look after, the oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn given_up(db: &impl ConnectionTrait) -> Result<Vec<GivenUp>> {
    Ok(judged(db).await?.0)
}

/// Jobs that nobody needs to look after, because a later one has done their work.
pub(super) async fn made_up_for(db: &impl ConnectionTrait) -> Result<Vec<GivenUp>> {
    Ok(judged(db).await?.1)
}

/// Those that are given up, and those that are made up for by a later job of the same class and arguments that is done: so
/// a task of the timetable, once it works again, needs nobody.
async fn judged(db: &impl ConnectionTrait) -> Result<(Vec<GivenUp>, Vec<GivenUp>)> {
    let dead = || Entity::find().filter(Column::State.eq(State::Dead));
    let is_wanted = Column::LastError.is_null().or(Column::LastError.ne(CANCELLED));
    let wanted = dead()
        .filter(is_wanted)
        .order_by_asc(Column::Id)
        .select_only()
        .columns([Column::Id, Column::Class, Column::Args, Column::Attempts, Column::CreatedAt, Column::FinishedAt])
        .column_as(Expr::cust("SUBSTR(last_error, 1, 120)"), "reason");
    let rows = db.query_all_raw(wanted.build(db.get_database_backend())).await?;
    let jobs = rows.iter().map(GivenUp::read).collect::<Result<Vec<_>, DbErr>>()?;
    // Of all that is done only this much is looked through, and only while something is dead.
    let Some(since) = jobs.iter().map(|job| job.created_at).min() else { return Ok((Vec::new(), Vec::new())) };
    let done: Vec<(String, String, i64)> = Entity::find()
        .filter(Column::State.eq(State::Done))
        .filter(Column::CreatedAt.gte(since))
        .filter(Column::Args.in_subquery(dead().select_only().column(Column::Args).into_query()))
        .select_only()
        .columns([Column::Class, Column::Args])
        .column_as(Column::Id.max(), "newest")
        .group_by(Column::Class)
        .group_by(Column::Args)
        .into_tuple()
        .all(db)
        .await?;
    let done: HashMap<_, _> = done.iter().map(|(class, args, id)| ((class.as_str(), args.as_str()), *id)).collect();
    let is_given_up = |job: &GivenUp| done.get(&(job.class.as_str(), job.args.as_str())).is_none_or(|id| *id < job.id);
    Ok(jobs.into_iter().partition(is_given_up))
}
