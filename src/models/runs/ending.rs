//! The end of a run, whoever brings it: the worker with the last picture, the person, the deadline.

use durable_jobs::Enqueued;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter,
    prelude::DateTimeUtc,
    sea_query::{Expr, SimpleExpr},
};

use super::{Column, Entity, Model, Reason, State, is_live};
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

/// What a run comes to.
struct Sum {
    state: State,
    failure: Option<String>,
    delivered: i64,
    /// The person brought the end, so nobody need be told of it.
    is_known: bool,
}

/// A run whose row says how it has ended; what follows from that is still to be done.
pub(super) struct Closed {
    sum: Sum,
    is_told: bool,
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

    /// The only picture that was asked for: with it the run has succeeded. `None` when it is final already.
    pub(super) async fn succeed(&self, txn: &DatabaseTransaction) -> Result<Option<Closed>> {
        self.close(txn, Sum { state: State::Succeeded, failure: None, delivered: 1, is_known: false }, 1).await
    }

    /// The end, if no place waits any more: the last picture brings it. The row is locked.
    pub(super) async fn end_if_complete(&self, txn: &DatabaseTransaction) -> Result<Option<Ended>> {
        let places = outputs::of_runs(txn, vec![self.id]).await?;
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
        let done = places.iter().filter(|place| place.state() == outputs::State::Done).count();
        let delivered = i64::try_from(done).map_err(Error::wrap)?;
        let (state, failure) = match delivered {
            0 if leftover == Reason::Canceled && given_up > 0 => (State::Canceled, None),
            0 => (State::Failed, places.iter().find_map(|place| place.failure.clone())),
            _ => (State::Succeeded, None),
        };
        let sum = Sum { state, failure, delivered, is_known: leftover == Reason::Canceled };
        let closed = self.close(txn, sum, 0).await?;
        let closed = closed.ok_or_else(|| Error::Message(format!("run {} ended under its lock", self.id)))?;
        self.conclude(txn, closed).await
    }

    /// Writes down how it has ended, with `brought` pictures more than were counted so far. `None` when it is final already.
    async fn close(&self, txn: &DatabaseTransaction, sum: Sum, brought: i64) -> Result<Option<Closed>> {
        let now = clock::now(txn).await?;
        // What nobody is to be told of counts as noticed.
        let noticed: SimpleExpr = match sum.is_known {
            true => Expr::value(now),
            false => Expr::case(devices::somebody_listens(), Expr::value(None::<DateTimeUtc>)).finally(now).into(),
        };
        let mut closing = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(sum.state)))
            .col_expr(Column::Failure, Expr::value(sum.failure.clone()))
            .col_expr(Column::FinishedAt, Expr::value(now))
            .col_expr(Column::NoticedAt, noticed);
        if brought > 0 {
            closing = closing
                .col_expr(Column::OutputsDelivered, Expr::col(Column::OutputsDelivered).add(brought))
                .col_expr(Column::Version, Expr::col(Column::Version).add(1));
        }
        let closed = closing.filter(Column::Id.eq(self.id)).filter(is_live()).exec_with_returning(txn).await?.pop();
        Ok(closed.map(|run| Closed { sum, is_told: run.noticed_at.is_none() }))
    }

    /// What follows from the end: calls that nobody sees the end of, the hold, and who hears of it.
    pub(super) async fn conclude(&self, txn: &DatabaseTransaction, Closed { sum, is_told }: Closed) -> Result<Ended> {
        attempts::close_abandoned(txn, self.id, None).await?;
        holds::settle(txn, self.id, sum.delivered, self.outputs_requested).await?;
        let told = if is_told { Some(devices::soon(txn, self).await?) } else { None };
        Ok(Ended { state: sum.state, delivered: sum.delivered, told })
    }

    /// That is committed: the world hears of it.
    pub(super) async fn has_ended(&self, ctx: &AppContext, Ended { state, delivered, told }: Ended) {
        ctx.parts().jobs().hint(told.as_slice()).await;
        tracing::info!(run.id = self.id, state = text(state), delivered, "run settled");
    }
}
