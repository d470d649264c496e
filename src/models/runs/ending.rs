//! The end of a run, whoever brings it: the worker with the last picture, the person, the deadline.

use durable_jobs::Enqueued;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, sea_query::Expr};

use super::{Column, Entity, Model, Reason, State};
use crate::{
    context::Nproxy,
    models::{attempts, begin, clock, devices, holds, outputs, provider_keys, text},
};

/// How a run has ended, by a transaction that is not committed yet.
pub(super) struct Ended {
    state: State,
    delivered: i64,
    /// Who hears of it.
    told: Option<Enqueued>,
}

impl Model {
    /// The person wants no more of it. What was delivered before stays and is paid; what comes later is dropped. `false`
    /// when it was over already.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn cancel(&self, ctx: &AppContext) -> Result<bool> {
        self.settle(ctx, Reason::Canceled).await
    }

    /// The end, whoever brings it: the worker, the person or the deadline. Places that still wait are given up for
    /// `leftover`; what was delivered is captured, the rest released. `false` when somebody else ended it before.
    pub(in crate::models) async fn settle(&self, ctx: &AppContext, leftover: Reason) -> Result<bool> {
        let txn = begin(&ctx.db).await?;
        // Leases before the run, as whoever delivers takes them.
        provider_keys::release_all(&txn, self.id).await?;
        // The row is locked by this write before anything is counted.
        if !self.progressed(&txn, 0).await? {
            return Ok(false);
        }
        let mut places = outputs::of_runs(&txn, vec![self.id]).await?;
        let mut given_up = 0;
        if places.iter().any(|place| place.state() == outputs::State::Waiting) {
            given_up = outputs::give_up(&txn, self.id, None, leftover).await?;
            places = outputs::of_runs(&txn, vec![self.id]).await?;
        }
        let ended = self.end(&txn, &places, leftover, given_up).await?;
        txn.commit().await?;
        self.has_ended(ctx, ended).await;
        Ok(true)
    }

    /// The end, if no place waits any more: the last picture brings it, which is in `filled`. The row is locked.
    pub(super) async fn end_if_complete(
        &self,
        txn: &DatabaseTransaction,
        filled: outputs::Model,
    ) -> Result<Option<Ended>> {
        let places = match self.outputs_requested {
            1 => vec![filled],
            _ => outputs::of_runs(txn, vec![self.id]).await?,
        };
        if places.iter().any(|place| place.state() == outputs::State::Waiting) {
            return Ok(None);
        }
        self.end(txn, &places, Reason::Unavailable, 0).await.map(Some)
    }

    /// Sums up what became of the places, of which `given_up` were left for `leftover`. The row is locked.
    async fn end(
        &self,
        txn: &DatabaseTransaction,
        places: &[outputs::Model],
        leftover: Reason,
        given_up: u64,
    ) -> Result<Ended> {
        attempts::close_abandoned(txn, self.id, None).await?;
        let done = places.iter().filter(|place| place.state() == outputs::State::Done).count();
        let delivered = i64::try_from(done).map_err(Error::wrap)?;
        let (state, failure) = match delivered {
            0 if leftover == Reason::Canceled && given_up > 0 => (State::Canceled, None),
            0 => (State::Failed, places.iter().find_map(|place| place.failure.clone())),
            _ => (State::Succeeded, None),
        };
        Entity::update_many()
            .col_expr(Column::State, Expr::value(text(state)))
            .col_expr(Column::Failure, Expr::value(failure))
            .col_expr(Column::FinishedAt, Expr::value(clock::now(txn).await?))
            .filter(Column::Id.eq(self.id))
            .exec(txn)
            .await?;
        holds::settle(txn, self.id, delivered, self.outputs_requested).await?;
        let told = if leftover == Reason::Canceled { None } else { devices::soon(txn, self).await? };
        Ok(Ended { state, delivered, told })
    }

    /// That is committed: the world hears of it.
    pub(super) async fn has_ended(&self, ctx: &AppContext, Ended { state, delivered, told }: Ended) {
        ctx.parts().jobs().hint(told.as_slice()).await;
        tracing::info!(run.id = self.id, state = text(state), delivered, "run settled");
    }
}
