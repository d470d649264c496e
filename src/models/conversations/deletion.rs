//! A conversation that its owner does not want any more. It is gone at once; a job ends what goes on in it and takes its
//! files away. What was asked for and what it cost stays in the books.

use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{Column, Entity, Model};
use crate::{
    context::Nproxy,
    models::{_entities::users, assets, begin, clock, runs},
    workers::{
        Durable,
        erase_conversation::{EraseConversation, Remains},
    },
};

/// One of the person's own, deleted or not: who deletes twice is told the same twice.
///
/// # Errors
/// The database does not answer.
pub async fn own_even_deleted(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::Pid.eq(pid)).one(db).await?)
}

/// What a job does for a deleted conversation.
///
/// # Errors
/// The database or the store does not answer; the job is tried again.
pub async fn erase(ctx: &AppContext, id: i64) -> Result<()> {
    cancel_in(ctx, id).await?;
    // What was delivered between the deletion and the cancellation goes too.
    let txn = begin(&ctx.db).await?;
    assets::delete_in(&txn, id).await?;
    txn.commit().await?;
    assets::erase_in(ctx, id).await
}

impl Model {
    /// Gone from every page at once, with its pictures. `false` when it was deleted before.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn delete(&self, ctx: &AppContext) -> Result<bool> {
        let txn = begin(&ctx.db).await?;
        let deleted = Entity::update_many()
            .col_expr(Column::DeletedAt, Expr::value(clock::now(&txn).await?))
            .filter(Column::Id.eq(self.id))
            .filter(Column::DeletedAt.is_null())
            .exec(&txn)
            .await?;
        if deleted.rows_affected == 0 {
            return Ok(false);
        }
        assets::delete_in(&txn, self.id).await?;
        let job = EraseConversation::enqueue(&txn, &Remains { conversation: self.id }).await?;
        txn.commit().await?;
        ctx.parts().jobs().hint(&[job]).await;
        // The job does it too; here it is done before the person looks at what they have left.
        cancel_in(ctx, self.id).await?;
        Ok(true)
    }

    /// Pictures that would go with it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn pictures(&self, db: &impl ConnectionTrait) -> Result<u64> {
        assets::count_in(db, self.id).await
    }
}

async fn cancel_in(ctx: &AppContext, id: i64) -> Result<()> {
    for run in runs::live_in(&ctx.db, id).await? {
        run.cancel(ctx).await?;
    }
    Ok(())
}
