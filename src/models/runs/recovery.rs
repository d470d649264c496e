//! Runs that nobody works on any more: ended when their time is up, handed to a job again while it is not.

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Column, Entity, Model, Reason};
use crate::{
    context::Nproxy,
    models::{OneByOne, begin, clock, provider_keys},
    workers::{
        Durable,
        fulfil_run::{FulfilRun, Order},
    },
};

/// A worker ends its own run at the deadline; only after this much more is it taken for gone.
const AFTER_DEADLINE: TimeDelta = TimeDelta::seconds(15);

/// A live run older than this is given a job again; a job that is still there makes that nothing.
const WITHOUT_JOB: TimeDelta = TimeDelta::seconds(60);

/// One page of work; the task runs every minute.
const AT_ONCE: u64 = 500;

/// What a sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    pub ended: usize,
    pub handed_on: usize,
    /// Keys taken back from processes that are gone.
    pub keys_freed: usize,
}

/// Scheduled, and safe to run by hand at any time.
///
/// # Errors
/// The database does not answer, or something is wrong with a run; all others were recovered.
pub async fn recover_stuck(ctx: &AppContext) -> Result<Recovered> {
    let now = clock::now(&ctx.db).await?;
    let (mut recovered, mut runs) = (Recovered::default(), OneByOne::default());
    let live = || Entity::find().filter(super::is_live()).order_by_asc(Column::DeadlineAt).limit(AT_ONCE);
    for run in live().filter(Column::DeadlineAt.lte(now - AFTER_DEADLINE)).all(&ctx.db).await? {
        let ended = run.settle(ctx, Reason::Deadline).await;
        recovered.ended += usize::from(runs.came(ended, "a run could not be ended", run.id)?);
    }
    let forgotten = live().filter(Column::DeadlineAt.gt(now)).filter(Column::CreatedAt.lte(now - WITHOUT_JOB));
    for run in forgotten.all(&ctx.db).await? {
        let handed_on = run.hand_on(ctx).await;
        recovered.handed_on += usize::from(runs.came(handed_on, "a run could not be handed on", run.id)?);
    }
    recovered.keys_freed = provider_keys::take_back_expired(ctx).await?;
    runs.end(recovered)
}

impl Model {
    /// Makes sure that a job works on the run; `false` when there is one.
    async fn hand_on(&self, ctx: &AppContext) -> Result<bool> {
        let txn = begin(&ctx.db).await?;
        let job = FulfilRun::enqueue(&txn, &Order { run: self.id }).await?;
        txn.commit().await?;
        let is_new = !job.duplicate;
        ctx.parts().jobs().hint(&[job]).await;
        Ok(is_new)
    }
}
