//! A picture that its owner does not want any more. Its row stays, for what it cost; pages and addresses know nothing of it
//! at once; its bytes go when it can no longer be brought back.

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, Statement,
    prelude::DateTimeUtc,
    sea_query::{Expr, Func},
};
use uuid::Uuid;

use super::{Column, Entity, Model};
use crate::{
    context::Nproxy,
    models::{_entities::users, begin, clock, runs},
    workers::{
        Durable,
        erase_picture::{ErasePicture, Picture},
    },
};

/// How long a deleted picture can be brought back.
pub const UNDO: TimeDelta = TimeDelta::seconds(20);

/// A run that still needs the picture is waited for, this long at a time.
const WHILE_NEEDED: TimeDelta = TimeDelta::seconds(30);

/// What went with its conversation comes back with it, never alone.
const IN_NO_DELETED_CONVERSATION: &str = "NOT EXISTS (SELECT 1 FROM outputs o JOIN runs r ON r.id = o.run_id \
    JOIN generations g ON g.id = r.generation_id JOIN conversations c ON c.id = g.conversation_id \
    WHERE o.asset_id = assets.id AND c.deleted_at IS NOT NULL)";

/// One of the person's own, also one that was deleted: it may come back, or whoever wants it back is told that it cannot.
///
/// # Errors
/// The database does not answer.
pub async fn own_even_deleted(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::Pid.eq(pid)).one(db).await?)
}

/// What a job does once the time to undo is over. A picture that was brought back meanwhile is left alone.
///
/// # Errors
/// The database or the store does not answer; the job is tried again.
pub async fn erase(ctx: &AppContext, id: i64) -> Result<()> {
    let now = clock::now(&ctx.db).await?;
    let claimed = Entity::update_many()
        .col_expr(Column::ErasedAt, first_of(Column::ErasedAt, now))
        .filter(Column::Id.eq(id))
        .filter(Condition::any().add(Column::ErasedAt.is_not_null()).add(Column::DeletedAt.lte(now - UNDO)))
        .exec(&ctx.db)
        .await?;
    if claimed.rows_affected == 0 {
        return Ok(());
    }
    super::by_id(&ctx.db, id).await?.remove_bytes(ctx).await
}

/// Pictures that a page of this conversation shows.
///
/// # Errors
/// The database does not answer.
pub async fn count_in(db: &impl ConnectionTrait, conversation_id: i64) -> Result<u64> {
    Ok(Entity::find()
        .filter(Expr::cust(format!("assets.id IN ({})", of_conversation(conversation_id))))
        .filter(Column::DeletedAt.is_null())
        .count(db)
        .await?)
}

/// All files of a deleted conversation go with it, and can come back with it: they have the moment of its deletion.
pub(crate) async fn hide_in(txn: &DatabaseTransaction, conversation_id: i64) -> Result<()> {
    let sql = format!(
        "UPDATE assets SET deleted_at = (SELECT c.deleted_at FROM conversations c WHERE c.id = {conversation_id}) \
         WHERE id IN ({}) AND deleted_at IS NULL",
        of_conversation(conversation_id)
    );
    txn.execute_unprepared(&sql).await?;
    Ok(())
}

/// What went with a deleted conversation comes back, before the conversation itself does. What was deleted by itself before
/// stays deleted; an upload that several conversations used may have gone with any of them.
pub(crate) async fn bring_back_in(txn: &DatabaseTransaction, conversation_id: i64) -> Result<()> {
    let sql = format!(
        "UPDATE assets SET deleted_at = NULL WHERE id IN ({}) AND erased_at IS NULL AND deleted_at IN \
         (SELECT c.deleted_at FROM conversations c WHERE c.user_id = assets.user_id AND c.deleted_at IS NOT NULL)",
        of_conversation(conversation_id)
    );
    txn.execute_unprepared(&sql).await?;
    Ok(())
}

/// All files of a conversation, for good.
pub(crate) async fn delete_in(txn: &DatabaseTransaction, conversation_id: i64) -> Result<()> {
    let sql = format!(
        "UPDATE assets SET deleted_at = COALESCE(deleted_at, $1), erased_at = COALESCE(erased_at, $1) \
         WHERE id IN ({}) AND erased_at IS NULL",
        of_conversation(conversation_id)
    );
    let values = [clock::now(txn).await?.into()];
    txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// Takes away the bytes of what `delete_in` marked. Done twice it finds nothing to take.
pub(crate) async fn erase_in(ctx: &AppContext, conversation_id: i64) -> Result<()> {
    let gone = Entity::find()
        .filter(Expr::cust(format!("assets.id IN ({})", of_conversation(conversation_id))))
        .filter(Column::ErasedAt.is_not_null())
        .all(&ctx.db)
        .await?;
    // All of them, even if the store refuses one.
    let mut refused = None;
    for asset in gone {
        refused = asset.remove_bytes(ctx).await.err().or(refused);
    }
    refused.map_or(Ok(()), Err)
}

impl Model {
    /// Gone from every page at once, its bytes a little later. `false` when it was deleted before.
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
        let job =
            ErasePicture::enqueue_in(&txn, &Picture { asset: self.id }, UNDO.to_std().map_err(Error::wrap)?).await?;
        txn.commit().await?;
        ctx.parts().jobs().hint(&[job]).await;
        Ok(true)
    }

    /// Takes a deletion back. `false` when it is too late, or its conversation is gone too and would have to come first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn restore(&self, db: &impl ConnectionTrait) -> Result<bool> {
        let restored = Entity::update_many()
            .col_expr(Column::DeletedAt, Expr::value(None::<DateTimeUtc>))
            .filter(Column::Id.eq(self.id))
            .filter(Column::ErasedAt.is_null())
            .filter(Expr::cust(IN_NO_DELETED_CONVERSATION))
            .exec(db)
            .await?;
        Ok(restored.rows_affected == 1)
    }

    /// Could it be brought back at this moment?
    #[must_use]
    pub fn is_retrievable(&self, now: DateTimeUtc) -> bool {
        self.erased_at.is_none() && self.deleted_at.is_some_and(|at| at + UNDO > now)
    }

    async fn remove_bytes(&self, ctx: &AppContext) -> Result<()> {
        if runs::need(&ctx.db, self.id).await? {
            let wait = WHILE_NEEDED.to_std().map_err(Error::wrap)?;
            let job = ErasePicture::enqueue_in(&ctx.db, &Picture { asset: self.id }, wait).await?;
            ctx.parts().jobs().hint(&[job]).await;
            return Ok(());
        }
        self.erase(ctx).await?;
        tracing::info!(asset.id = self.id, "the files of a deleted picture are gone");
        Ok(())
    }
}

fn first_of(column: Column, otherwise: DateTimeUtc) -> sea_orm::sea_query::SimpleExpr {
    Func::coalesce([Expr::col(column), Expr::value(otherwise)]).into()
}

/// The ids of what came of a conversation, and of what was uploaded for it and is used nowhere else, as a subselect.
fn of_conversation(id: i64) -> String {
    format!(
        "
    SELECT o.asset_id FROM outputs o JOIN runs r ON r.id = o.run_id JOIN generations g ON g.id = r.generation_id
    WHERE g.conversation_id = {id} AND o.asset_id IS NOT NULL
    UNION
    SELECT m.asset_id FROM materials m JOIN generations g ON g.id = m.generation_id JOIN assets a ON a.id = m.asset_id
    WHERE g.conversation_id = {id} AND a.origin = 'upload' AND NOT EXISTS (
        SELECT 1 FROM materials elsewhere JOIN generations other ON other.id = elsewhere.generation_id
        LEFT JOIN conversations c ON c.id = other.conversation_id
        WHERE elsewhere.asset_id = m.asset_id AND c.deleted_at IS NULL
        AND (other.conversation_id IS NULL OR other.conversation_id <> {id}))"
    )
}
