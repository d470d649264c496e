//! `activated ⇄ blocked`, by an operator. A blocked person is out with the next request: sessions and links end in the
//! same transaction, and nothing new starts. What is queued or running goes on to its end: it was paid for by a hold while
//! the person was welcome, it is bounded by its deadline, and the pictures wait there should the block be lifted.

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, LockType},
};
use serde_json::json;

use super::{Column, Entity, Model, Status, appointments, by_email, by_id, links, normalized};
use crate::models::{
    activities::{self, Actor},
    begin, clock, sessions, text,
};

/// What became of a block in the web admin.
#[derive(Debug)]
pub enum Blocking {
    /// Now, or before.
    Blocked,
    /// The person stands above who acts: nothing was changed.
    Above,
    /// Somebody has to own the place: nothing was changed.
    LastOwner,
    Nobody,
}

/// At the console, which can shut out anybody. `None` when there is no such account; nothing happens to one that is
/// blocked already.
///
/// # Errors
/// The database does not answer.
pub async fn block(ctx: &AppContext, email: &str, reason: &str, actor: &Actor) -> Result<Option<Model>> {
    let txn = begin(&ctx.db).await?;
    let Some(user) = by_email(&txn, &normalized(email)).await? else { return Ok(None) };
    user.shut_out(&txn, reason, actor).await?;
    let user = by_id(&txn, user.id).await?;
    txn.commit().await?;
    Ok(user)
}

/// In the web admin, where nobody shuts out who stands above them, nor the last who owns the place. Nothing happens to an
/// account that is blocked already.
///
/// # Errors
/// The database does not answer.
pub async fn block_by_rank(ctx: &AppContext, user_id: i64, reason: &str, actor: &Actor) -> Result<Blocking> {
    let txn = begin(&ctx.db).await?;
    // Before anybody's role is read: nobody gets or loses that of an owner meanwhile.
    let owners = appointments::owners(&txn).await?;
    let Some(user) = by_id(&txn, user_id).await? else { return Ok(Blocking::Nobody) };
    if user.is_above(&txn, actor).await? {
        return Ok(Blocking::Above);
    }
    if appointments::is_last(&owners, &user) {
        return Ok(Blocking::LastOwner);
    }
    user.shut_out(&txn, reason, actor).await?;
    txn.commit().await?;
    Ok(Blocking::Blocked)
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
    async fn shut_out(&self, txn: &DatabaseTransaction, reason: &str, actor: &Actor) -> Result<()> {
        if self.move_to(txn, Status::Blocked, [Status::New, Status::Activated]).await? {
            sessions::revoke_all(txn, self.id).await?;
            links::supersede_all(txn, self.id).await?;
            activities::record(txn, actor, "block_user", ("user", self.id), json!({ "reason": reason })).await?;
        }
        Ok(())
    }

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
