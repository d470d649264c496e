//! A picture that has arrived. Bytes first; then one transaction in which the place is filled, the attempt closed, the key
//! praised and given back, and if it was the last the run ended: all of it, or none.

use loco_rs::{Result, app::AppContext};
use sea_orm::DatabaseTransaction;

use super::{Model, ending::Ended};
use crate::{
    context::Nproxy,
    models::{
        assets::{self, Origin, picture::Picture},
        attempts, begin,
        outputs::Place,
        provider_keys::{Leased, health},
        proxies,
    },
};

/// Where a picture belongs: the place it fills, the key and the attempt it came by.
pub(super) struct Made<'a> {
    pub run: &'a Model,
    pub user_id: i64,
    pub place: Place,
    pub leased: &'a Leased,
    /// The proxy that carried it.
    pub proxy: Option<&'a proxies::Model>,
    pub attempt: &'a attempts::Model,
}

/// What became of it.
pub(super) enum Delivery {
    Kept {
        /// It was the last that was waited for: the run has ended.
        is_over: bool,
    },
    /// The place is not ours to fill any more, and nothing of it was kept.
    TooLate,
    NotStored,
}

/// It is all written, and not yet committed.
struct Kept {
    ended: Option<Ended>,
}

impl Made<'_> {
    pub(super) async fn deliver(&self, ctx: &AppContext, picture: Picture) -> Result<Delivery> {
        let stored = match assets::store(ctx, "outputs", picture).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(run.id = self.run.id, %error, "a picture could not be stored");
                let txn = begin(&ctx.db).await?;
                self.leased.release(&txn).await?;
                self.attempt.close(&txn, Ok(()), self.cost(ctx)).await?;
                txn.commit().await?;
                ctx.parts().key_freed().notify_one();
                return Ok(Delivery::NotStored);
            }
        };
        let txn = begin(&ctx.db).await?;
        let Some(kept) = self.keep(ctx, &txn, &stored).await? else {
            txn.rollback().await?;
            stored.discard(ctx).await;
            self.forget(ctx).await?;
            return Ok(Delivery::TooLate);
        };
        txn.commit().await?;
        let is_over = kept.ended.is_some();
        if let Some(ended) = kept.ended {
            self.run.has_ended(ctx, ended).await;
        }
        health::delivered(ctx, self.leased).await?;
        ctx.parts().key_freed().notify_one();
        Ok(Delivery::Kept { is_over })
    }

    /// The picture came too late for its run; the key did what it should.
    async fn forget(&self, ctx: &AppContext) -> Result<()> {
        let txn = begin(&ctx.db).await?;
        let is_ours = self.leased.release(&txn).await?;
        self.attempt.close(&txn, Ok(()), self.cost(ctx)).await?;
        if is_ours {
            health::succeeded(&txn, self.leased, self.cost(ctx)).await?;
        }
        txn.commit().await?;
        ctx.parts().key_freed().notify_one();
        Ok(())
    }

    /// `None` when the run is over, the place taken, or the lease lost: then nothing of it may stay.
    async fn keep(&self, ctx: &AppContext, txn: &DatabaseTransaction, stored: &assets::Stored) -> Result<Option<Kept>> {
        if !self.leased.release(txn).await? {
            return Ok(None);
        }
        // The run before its places, as everybody takes them. Of a single picture it is known already that it ends it.
        let closed = if self.run.outputs_requested == 1 { self.run.succeed(txn).await? } else { None };
        if closed.is_none() && !self.run.progressed(txn, 1).await? {
            return Ok(None);
        }
        let asset = stored.keep(txn, self.user_id, Origin::Output).await?;
        if !self.place.fill(txn, asset.id).await? {
            return Ok(None);
        }
        let cost = self.cost(ctx);
        self.attempt.close(txn, Ok(()), cost).await?;
        let ended = match closed {
            Some(closed) => Some(self.run.conclude(txn, closed).await?),
            None => self.run.end_if_complete(txn).await?,
        };
        // What many share is locked last, and not for long.
        if let Some(proxy) = self.proxy {
            proxy.note(ctx, txn, None).await?;
        }
        health::succeeded(txn, self.leased, cost).await?;
        Ok(Some(Kept { ended }))
    }

    /// What the vendor takes for it, millionths of a US dollar.
    fn cost(&self, ctx: &AppContext) -> Option<i64> {
        ctx.parts().catalogue().cost_micros(&self.leased.key.provider, &self.leased.wire_model)
    }
}
