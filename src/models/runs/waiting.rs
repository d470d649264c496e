//! What somebody who waits can be told: how many are before them, and how long such runs took lately. Measured, never
//! promised: without enough runs to go by, nothing is said.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::DateTimeUtc, sea_query::Expr,
};

use super::{Column, Entity, Model};
use crate::{
    context::Nproxy,
    models::_entities::{conversations, generations, users},
};

/// Runs that are looked at, the newest, of all models.
const SAMPLE: u64 = 200;

/// Fewer say nothing.
const SAMPLE_MIN: usize = 5;

/// So many before somebody in line are counted. They look every second, and where more wait most of them move every second.
pub const AHEAD_MAX: u32 = 100;

/// Wishes that the queue shows once they are over.
const LATELY: u64 = 8;

/// How long runs of one model took, from the wish to the last picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Half of them were faster.
    pub median: Duration,
    /// One in ten was slower.
    pub slow: Duration,
}

/// What was measured lately, by model. Everybody who waits asks for it with every change of what they see.
#[derive(Debug, Default)]
pub struct Paces(Mutex<HashMap<String, (Instant, Pace)>>);

/// So long a pace is told without measuring anew.
const TOLD_FOR: Duration = Duration::from_secs(5);

/// Of this model lately; `None` when too few were seen.
///
/// # Errors
/// The database does not answer.
pub async fn pace(ctx: &AppContext, model: &str) -> Result<Option<Pace>> {
    let parts = ctx.parts();
    let paces = || parts.paces().0.lock().unwrap_or_else(PoisonError::into_inner);
    let told = paces().get(model).filter(|(at, _)| at.elapsed() < TOLD_FOR).map(|(_, pace)| *pace);
    if told.is_some() {
        return Ok(told);
    }
    let pace = measure(&ctx.db, model).await?;
    if let Some(pace) = pace {
        paces().insert(model.to_owned(), (Instant::now(), pace));
    }
    Ok(pace)
}

async fn measure(db: &impl ConnectionTrait, model: &str) -> Result<Option<Pace>> {
    // The words are those of the partial index: a value in their place would hide it from the planner.
    let newest: Vec<(String, DateTimeUtc, Option<DateTimeUtc>)> = Entity::find()
        .select_only()
        .column(generations::Column::Model)
        .column(Column::CreatedAt)
        .column(Column::FinishedAt)
        .inner_join(generations::Entity)
        .filter(Expr::cust("runs.state = 'succeeded'"))
        .order_by_desc(Column::Id)
        .limit(SAMPLE)
        .into_tuple()
        .all(db)
        .await?;
    let took = newest.into_iter().filter(|(of, ..)| of == model);
    Ok(of_times(took.filter_map(|(_, began, ended)| (ended? - began).to_std().ok()).collect()))
}

fn of_times(mut times: Vec<Duration>) -> Option<Pace> {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len().saturating_sub(1)) * share / 100).copied();
    let (median, slow) = (at(50)?, at(90)?);
    (times.len() >= SAMPLE_MIN).then_some(Pace { median, slow })
}

/// Runs of everybody that wait and came before this one, counted up to `AHEAD_MAX`.
///
/// # Errors
/// The database does not answer.
pub async fn ahead(db: &impl ConnectionTrait, run: &Model) -> Result<u64> {
    let before = Entity::find().filter(super::is_queued()).filter(Column::Id.lt(run.id));
    Ok(before.limit(u64::from(AHEAD_MAX)).count(db).await?)
}

/// What the person waits for, the oldest first, and behind it the last of their wishes that are over, the newest first.
///
/// # Errors
/// The database does not answer.
pub async fn queue_of(
    db: &impl ConnectionTrait,
    user: &users::Model,
) -> Result<Vec<(Model, generations::Model, conversations::Model)>> {
    let live = Entity::find()
        .find_also_related(generations::Entity)
        .filter(super::is_live())
        .filter(generations::Column::UserId.eq(user.id))
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    let last = generations::Entity::find()
        .filter(generations::Column::UserId.eq(user.id))
        .order_by_desc(generations::Column::Id)
        .limit(LATELY)
        .all(db)
        .await?;
    let mut runs = super::of_generations(db, last.iter().map(|generation| generation.id).collect()).await?;
    let mut queue: Vec<_> = live.into_iter().filter_map(|(run, generation)| Some((run, generation?))).collect();
    for generation in last {
        // Of each the newest run comes last.
        if let Some(at) = runs.iter().rposition(|run| run.generation_id == generation.id)
            && runs[at].is_final()
        {
            queue.push((runs.swap_remove(at), generation));
        }
    }
    let ids = queue.iter().filter_map(|(_, generation)| generation.conversation_id);
    let threads = conversations::Entity::find()
        .filter(conversations::Column::Id.is_in(ids))
        .filter(conversations::Column::DeletedAt.is_null())
        .all(db)
        .await?;
    let placed = queue.into_iter().filter_map(|(run, generation)| {
        let thread = threads.iter().find(|thread| Some(thread.id) == generation.conversation_id)?.clone();
        Some((run, generation, thread))
    });
    Ok(placed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_runs_say_nothing_and_many_are_halved() {
        let seconds = |all: &[u64]| of_times(all.iter().map(|s| Duration::from_secs(*s)).collect());
        assert_eq!(seconds(&[]), None);
        assert_eq!(seconds(&[1, 2, 3, 4]), None);
        let pace = seconds(&[9, 1, 8, 2, 7, 3, 6, 4, 5, 100, 10]).unwrap();
        assert_eq!((pace.median.as_secs(), pace.slow.as_secs()), (6, 10));
    }
}
