//! `activated ⇄ blocked`, by an operator. A blocked person is out with the next request: sessions and links end in the
//! same transaction, and nothing new starts. What is queued or running goes on to its end: it was paid for by a hold while
//! the person was welcome, it is bounded by its deadline, and the pictures wait there should the block be lifted.

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, LockType},
};
use serde_json::json;

use super::{Column, Entity, Model, Status, by_email, by_id, links, normalized};
use crate::models::{
    activities::{self, Actor},
    begin, clock, sessions, text,
};

/// `None` when there is no such account; nothing happens to one that is blocked already.
///
/// # Errors
/// The database does not answer.
pub async fn block(ctx: &AppContext, email: &str, reason: &str, actor: &Actor) -> Result<Option<Model>> {
    let txn = begin(&ctx.db).await?;
    let Some(user) = by_email(&txn, &normalized(email)).await? else { return Ok(None) };
    let moved = user.move_to(&txn, Status::Blocked, [Status::New, Status::Activated]).await?;
    if moved {
        sessions::revoke_all(&txn, user.id).await?;
        links::supersede_all(&txn, user.id).await?;
        activities::record(&txn, actor, "block_user", ("user", user.id), json!({ "reason": reason })).await?;
    }
    let user = by_id(&txn, user.id).await?;
    txn.commit().await?;
    Ok(user)
}

/// The account is what it was before: activated, or new when its address was never proved. The old sessions stay ended.
/// `None` when there is no such account; nothing happens to one that is not blocked.
///
/// # Errors
/// The database does not answer.
pub async fn unblock(ctx: &AppContext, email: &str, reason: &str, actor: &Actor) -> Result<Option<Model>> {
    let txn = begin(&ctx.db).await?;
    let Some(user) = by_email(&txn, &normalized(email)).await? else { return Ok(None) };
    let before = if user.activated_at.is_some() { Status::Activated } else { Status::New };
    if user.move_to(&txn, before, [Status::Blocked]).await? {
        activities::record(&txn, actor, "unblock_user", ("user", user.id), json!({ "reason": reason })).await?;
    }
    let user = by_id(&txn, user.id).await?;
    txn.commit().await?;
    Ok(user)
}

/// May this person start something, as of this transaction? Whoever blocks or deletes the account meanwhile waits for the
/// transaction, and finds what it started.
///
/// # Errors
/// The database does not answer.
pub async fn may_start(txn: &DatabaseTransaction, user: &Model) -> Result<bool> {
    // The lock that the hold takes next: two that shared one first would wait for each other there.
    let now = Entity::find_by_id(user.id).lock(LockType::NoKeyUpdate).one(txn).await?;
    Ok(now.is_some_and(|user| user.status() == Status::Activated))
}

impl Model {
    async fn move_to<const N: usize>(&self, txn: &DatabaseTransaction, to: Status, from: [Status; N]) -> Result<bool> {
        let moved = Entity::update_many()
            .col_expr(Column::Status, Expr::value(text(to)))
            .col_expr(Column::SessionEpoch, Expr::col(Column::SessionEpoch).add(1))
            .col_expr(Column::UpdatedAt, Expr::value(clock::now(txn).await?))
            .filter(Column::Id.eq(self.id))
            .filter(Column::Status.is_in(from))
            .filter(Column::DeletedAt.is_null())
            .exec(txn)
            .await?;
        Ok(moved.rows_affected == 1)
    }
}
