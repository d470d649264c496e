//! A month that ends, or begins, at another moment than it was to.

use chrono::Months;
use loco_rs::{Error, Result};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, prelude::DateTimeUtc, sea_query::Expr};

use super::{Column, Entity, locked};
use crate::models::{
    activities::Actor,
    ledger_entries::{Kind, Movement},
};

/// Ends a month at this moment, and what is left of it with it. What runs under way have set aside stays with them, and
/// what they give back goes the same way. The person is locked.
pub(in crate::models) async fn end_now(
    txn: &DatabaseTransaction,
    id: i64,
    now: DateTimeUtc,
    actor: &Actor,
) -> Result<()> {
    let mut allowance = locked(txn, id).await?;
    if allowance.closed(now).is_some() {
        return Ok(());
    }
    Entity::update_many().col_expr(Column::ExpiresAt, Expr::value(now)).filter(Column::Id.eq(id)).exec(txn).await?;
    (allowance.expires_at, allowance.expired_at) = (Some(now), Some(now));
    let left = allowance.available;
    let gone = Movement::new(Kind::Expire, format!("expire:{id}"), -left, -left).because("given up for the next month");
    allowance.post(txn, if left > 0 { vec![gone] } else { Vec::new() }, actor).await?;
    Ok(())
}

/// Lets a month that has not begun begin at another moment; when it ends then. The person is locked.
pub(in crate::models) async fn begin_at(
    txn: &DatabaseTransaction,
    id: i64,
    starts_at: DateTimeUtc,
) -> Result<DateTimeUtc> {
    let ends_at = starts_at + Months::new(1);
    let moved = Entity::update_many()
        .col_expr(Column::StartsAt, Expr::value(starts_at))
        .col_expr(Column::ExpiresAt, Expr::value(ends_at))
        .filter(Column::Id.eq(id))
        .filter(Column::StartsAt.gt(starts_at))
        .exec(txn)
        .await?;
    if moved.rows_affected == 1 { Ok(ends_at) } else { Err(Error::Message(format!("month {id} has begun already"))) }
}
