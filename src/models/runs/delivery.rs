//! A picture that has arrived. Bytes first; then one transaction in which the place is filled, the attempt closed, the key
//! praised and given back: all of it, or none.

use loco_rs::{Result, app::AppContext};
use sea_orm::DatabaseTransaction;

use super::Model;
use crate::{
    context::Nproxy,
    models::{
        assets::{self, Origin, picture::Picture},
        attempts, begin, outputs,
        provider_keys::{Leased, health},
    },
};

/// Where a picture belongs: the place it fills, the key and the attempt it came by.
pub(super) struct Made<'a> {
    pub run: &'a Model,
    pub user_id: i64,
    pub place: &'a outputs::Model,
    pub leased: &'a Leased,
    pub attempt: &'a attempts::Model,
}

/// What became of it.
pub(super) enum Delivery {
    /// It is in its place, or the place is no longer ours to fill and nothing of it was kept.
    Over,
    NotStored,
}

impl Made<'_> {
    pub(super) async fn deliver(&self, ctx: &AppContext, picture: Picture) -> Result<Delivery> {
        let stored = match assets::store(ctx, &format!("outputs/{}", self.run.pid), picture).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(run.id = self.run.id, %error, "a picture could not be stored");
                let txn = begin(&ctx.db).await?;
                self.attempt.close(&txn, Ok(())).await?;
                self.leased.release(&txn).await?;
                txn.commit().await?;
                ctx.parts().key_freed().notify_one();
                return Ok(Delivery::NotStored);
            }
        };
        let txn = begin(&ctx.db).await?;
        if self.keep(&txn, &stored).await? {
            txn.commit().await?;
            ctx.parts().key_freed().notify_one();
        } else {
            txn.rollback().await?;
            stored.discard(ctx).await;
            self.forget(ctx).await?;
        }
        Ok(Delivery::Over)
    }

    /// The picture came too late for its run; the key did what it should.
    async fn forget(&self, ctx: &AppContext) -> Result<()> {
        let txn = begin(&ctx.db).await?;
        self.attempt.close(&txn, Ok(())).await?;
        if self.leased.release(&txn).await? {
            health::succeeded(&txn, self.leased).await?;
        }
        txn.commit().await?;
        ctx.parts().key_freed().notify_one();
        Ok(())
    }

    /// `false` when the run is over, the place taken, or the lease lost: then nothing of it may stay.
    async fn keep(&self, txn: &DatabaseTransaction, stored: &assets::Stored) -> Result<bool> {
        if !self.leased.release(txn).await? || !self.run.progressed(txn, 1).await? {
            return Ok(false);
        }
        let asset = stored.keep(txn, self.user_id, Origin::Output).await?;
        if !self.place.fill(txn, asset.id).await? {
            return Ok(false);
        }
        self.attempt.close(txn, Ok(())).await?;
        health::succeeded(txn, self.leased).await?;
        Ok(true)
    }
}
