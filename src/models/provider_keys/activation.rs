//! What an admin does to a key: takes it out of service, or brings it back, which nothing else can.

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, sea_query::Expr};

use super::{
    Column, Entity, Model, State,
    check::{self, Checked},
    transitions::Change,
};
use crate::models::{_entities::key_exclusions, activities::Actor, begin};

/// What became of bringing a key back.
#[derive(Debug)]
pub enum Activation {
    Activated(Model),
    /// The vendor was asked first, and does not take the key. Nothing was changed.
    NotTaken(Checked),
}

/// Brings a key back, and says why: with a clean slate, the models it was excluded from open to it again, and one call at first. The
/// vendor is asked before, unless `unasked`.
///
/// # Errors
/// There is no such key, or the database does not answer.
pub async fn activate(ctx: &AppContext, id: i64, unasked: bool, reason: &str, actor: &Actor) -> Result<Activation> {
    if !unasked {
        let checked = check::check(ctx, id).await?;
        if checked.answer.is_err() {
            return Ok(Activation::NotTaken(checked));
        }
    }
    let txn = begin(&ctx.db).await?;
    let key = bring_back(&txn, id, reason, actor).await?;
    txn.commit().await?;
    Ok(Activation::Activated(key))
}

/// As [`activate`], in the caller's transaction and without asking: whoever wants to ask has done so before.
///
/// # Errors
/// There is no such key, or the database does not answer.
pub(in crate::models) async fn bring_back(
    txn: &DatabaseTransaction,
    id: i64,
    reason: &str,
    actor: &Actor,
) -> Result<Model> {
    let key = super::locked(txn, id).await?.ok_or(Error::NotFound)?;
    if key.state() != State::Active {
        key.become_state(txn, actor, &Change::back(reason, 0)).await?;
        key.forgive(txn).await?;
    }
    super::by_id(txn, id).await?.ok_or(Error::NotFound)
}

/// Takes a key out of service until an admin brings it back, and says why. Calls under way end as they end.
///
/// # Errors
/// There is no such key, or the database does not answer.
pub async fn disable(ctx: &AppContext, id: i64, reason: &str, actor: &Actor) -> Result<Model> {
    let txn = begin(&ctx.db).await?;
    let key = take_out(&txn, id, reason, actor).await?;
    txn.commit().await?;
    Ok(key)
}

/// As [`disable`], in the caller's transaction.
///
/// # Errors
/// There is no such key, or the database does not answer.
pub(in crate::models) async fn take_out(
    txn: &DatabaseTransaction,
    id: i64,
    reason: &str,
    actor: &Actor,
) -> Result<Model> {
    let key = super::locked(txn, id).await?.ok_or(Error::NotFound)?;
    if key.state() != State::Disabled {
        let change = Change::out(State::Disabled, reason, key.consecutive_failures);
        key.become_state(txn, actor, &change).await?;
    }
    super::by_id(txn, id).await?.ok_or(Error::NotFound)
}

impl Model {
    /// Nothing of the past counts any more.
    async fn forgive(&self, txn: &DatabaseTransaction) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::StruckAt, Expr::value(None::<sea_orm::prelude::DateTimeUtc>))
            .col_expr(Column::LastError, Expr::value(None::<String>))
            .filter(Column::Id.eq(self.id))
            .exec(txn)
            .await?;
        key_exclusions::Entity::delete_many()
            .filter(key_exclusions::Column::ProviderKeyId.eq(self.id))
            .exec(txn)
            .await?;
        Ok(())
    }
}
