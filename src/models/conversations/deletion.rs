//! A conversation that its owner does not want any more. It is gone at once, and what goes on in it ends; when it can no
//! longer be brought back, a job takes its files away. What was asked for and what it cost stays in the books.

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, PaginatorTrait,
    QueryFilter, QuerySelect, prelude::DateTimeUtc, sea_query::Expr,
};
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

/// How long a deleted conversation can be brought back: as long as a picture.
pub const UNDO: TimeDelta = assets::UNDO;

/// So much later its files go: the clocks of several processes are never quite the same.
const GRACE: TimeDelta = TimeDelta::seconds(5);

/// One of the person's own, deleted or not: who deletes twice is told the same twice.
///
/// # Errors
/// The database does not answer.
pub async fn own_even_deleted(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::Pid.eq(pid)).one(db).await?)
}

/// What a job does for a deleted conversation, at once and again when the time to undo is over: what goes on in it ends, what
/// was still delivered is hidden too, and in the end the files go. One that was brought back meanwhile is left alone.
///
/// # Errors
/// The database or the store does not answer; the job is tried again.
pub async fn erase(ctx: &AppContext, id: i64) -> Result<()> {
    if Entity::find_by_id(id).filter(Column::DeletedAt.is_not_null()).count(&ctx.db).await? == 0 {
        return Ok(());
    }
    for run in runs::live_in(&ctx.db, id).await? {
        run.cancel(ctx).await?;
    }
    let txn = begin(&ctx.db).await?;
    let Some((_, deleted_at)) = held(&txn, id).await? else { return Ok(()) };
    assets::hide_in(&txn, id).await?;
    let is_over = deleted_at + UNDO + GRACE <= clock::now(&txn).await?;
    if is_over {
        assets::delete_in(&txn, id).await?;
    }
    txn.commit().await?;
    if is_over { assets::erase_in(ctx, id).await } else { Ok(()) }
}

impl Model {
    /// Gone from every page at once, with its pictures; for good a little later. `false` when it was deleted before.
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
        assets::hide_in(&txn, self.id).await?;
        let remains = Remains { conversation: self.id };
        let wait = (UNDO + GRACE).to_std().map_err(Error::wrap)?;
        let jobs = [
            EraseConversation::enqueue(&txn, &remains).await?,
            EraseConversation::enqueue_in(&txn, &remains, wait).await?,
        ];
        txn.commit().await?;
        ctx.parts().jobs().hint(&jobs).await;
        // The job does it too; here it is done before the person looks at what they have left.
        erase(ctx, self.id).await?;
        Ok(true)
    }

    /// Takes the deletion back, for it and for the pictures that went with it; what was being made has ended. `false` when
    /// it is too late, or nobody deleted it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn restore(&self, db: &DatabaseConnection) -> Result<bool> {
        let txn = begin(db).await?;
        let Some((conversation, _)) = held(&txn, self.id).await? else { return Ok(false) };
        // The time counts once nobody else can take the files away.
        if !conversation.is_retrievable(clock::now(&txn).await?) {
            return Ok(false);
        }
        assets::bring_back_in(&txn, self.id).await?;
        Entity::update_many()
            .col_expr(Column::DeletedAt, Expr::value(None::<DateTimeUtc>))
            .filter(Column::Id.eq(self.id))
            .exec(&txn)
            .await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Could it be brought back at this moment?
    #[must_use]
    pub fn is_retrievable(&self, now: DateTimeUtc) -> bool {
        self.deleted_at.is_some_and(|at| at + UNDO > now)
    }

    /// Pictures that would go with it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn pictures(&self, db: &impl ConnectionTrait) -> Result<u64> {
        assets::count_in(db, self.id).await
    }
}

/// A deleted conversation and when that was, kept so until the transaction ends: whoever brings it back and whoever takes its
/// files away wait for each other.
async fn held(txn: &DatabaseTransaction, id: i64) -> Result<Option<(Model, DateTimeUtc)>> {
    let mut deleted = Entity::find_by_id(id).filter(Column::DeletedAt.is_not_null());
    if txn.get_database_backend() == DbBackend::Postgres {
        deleted = deleted.lock_exclusive();
    }
    let found = deleted.one(txn).await?;
    Ok(found.and_then(|conversation| conversation.deleted_at.map(|at| (conversation, at))))
}
