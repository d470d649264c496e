//! How many wait in all. Counting takes the longer the more they are, so it is done once in a while, and in between what this
//! process has added is reckoned on top.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use loco_rs::{Result, app::AppContext};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use super::{Entity, is_queued};
use crate::context::Nproxy;

/// For how long a count is gone by.
const COUNTED_EVERY: Duration = Duration::from_secs(1);

/// What was counted last, and when.
#[derive(Debug, Clone, Default)]
pub struct Crowd(Arc<Mutex<Option<(Instant, u64)>>>);

/// Whether so many runs wait already (`pool.waiting_max`) that one more would hardly be begun in time. Whoever hears `false`
/// is counted.
///
/// # Errors
/// The database does not answer.
pub async fn is_crowded(ctx: &AppContext, db: &impl ConnectionTrait) -> Result<bool> {
    let most = ctx.parts().settings().pool.waiting_max;
    let crowd = ctx.shared_store.get::<Crowd>().unwrap_or_default();
    let known = *crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (at, waiting) = match known.filter(|(at, _)| at.elapsed() < COUNTED_EVERY) {
        Some(known) => known,
        None => (Instant::now(), Entity::find().filter(is_queued()).limit(most).count(db).await?),
    };
    let is_full = waiting >= most;
    *crowd.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, if is_full { waiting } else { waiting + 1 }));
    Ok(is_full)
}
