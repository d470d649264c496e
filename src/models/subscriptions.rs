//! Somebody's plan. What was paid for and until when are the months themselves, allowances of kind quota; here is what
//! they come to at one moment, and the row that remembers which plan it is and since when it runs without a break.
//! Nothing renews by itself, and no state is stored: the clock decides it whenever it is asked.

mod by_hand;
mod changes;
mod cycles;
mod early_start;
mod warnings;

use loco_rs::Result;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    prelude::DateTimeUtc, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    _entities::subscriptions::{ActiveModel, Column, Entity},
    clock, insert_new,
};

pub use super::_entities::subscriptions::Model;
pub use by_hand::give_month;
pub use changes::{ByHand, cancel, extend};
pub use cycles::{Cycles, State, cycles};
pub use early_start::{EarlyStart, start_next_now};
pub use warnings::{Stage, Warning, warn_due, warning};

/// The person's, if they ever had a month of the plan.
///
/// # Errors
/// The database does not answer.
pub async fn of(db: &impl ConnectionTrait, user_id: i64) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user_id)).one(db).await?)
}

/// A month of the plan is being given, from `starts_at` on; `before` is how things stood. After a break the plan counts
/// from here.
pub(super) async fn activate(
    txn: &DatabaseTransaction,
    user_id: i64,
    plan_code: &str,
    before: &Cycles,
    starts_at: DateTimeUtc,
) -> Result<()> {
    let row = ActiveModel {
        pid: Set(Uuid::now_v7()),
        user_id: Set(user_id),
        plan_code: Set(plan_code.to_owned()),
        activated_at: Set(starts_at),
        created_at: Set(clock::now(txn).await?),
        ..Default::default()
    };
    if insert_new(txn, row).await? {
        return Ok(());
    }
    let mut update = Entity::update_many().col_expr(Column::PlanCode, Expr::value(plan_code));
    if !before.goes_on() {
        update = update.col_expr(Column::ActivatedAt, Expr::value(starts_at));
    }
    update.filter(Column::UserId.eq(user_id)).exec(txn).await?;
    Ok(())
}
