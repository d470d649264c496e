//! A month that ends, or begins, at another moment than it was to.

use chrono::{Months, TimeDelta};
use loco_rs::{Error, Result};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, prelude::DateTimeUtc, sea_query::Expr};

use super::{Column, Entity, Model, locked};
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
    because: &str,
    actor: &Actor,
) -> Result<()> {
    let mut allowance = locked(txn, id).await?;
    if allowance.closed(now).is_some() {
        return Ok(());
    }
    Entity::update_many().col_expr(Column::ExpiresAt, Expr::value(now)).filter(Column::Id.eq(id)).exec(txn).await?;
    (allowance.expires_at, allowance.expired_at) = (Some(now), Some(now));
    let left = allowance.available;
    let gone = Movement::new(Kind::Expire, format!("expire:{id}"), -left, -left).because(because);
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

/// Lets a month end so much later, and one that has not begun begin as much later. The person is locked, so `month` is as
/// it stands.
pub(in crate::models) async fn move_by(
    txn: &DatabaseTransaction,
    month: &Model,
    by: TimeDelta,
    now: DateTimeUtc,
) -> Result<()> {
    let ends_at = month.expires_at.and_then(|end| end.checked_add_signed(by));
    let ends_at = ends_at.ok_or_else(|| Error::Message(format!("month {} cannot be moved so far", month.id)))?;
    let mut update = Entity::update_many().col_expr(Column::ExpiresAt, Expr::value(ends_at));
    if month.starts_at > now {
        update = update.col_expr(Column::StartsAt, Expr::value(month.starts_at + by));
    }
    let moved = update.filter(Column::Id.eq(month.id)).filter(Column::ExpiresAt.eq(month.expires_at)).exec(txn).await?;
    if moved.rows_affected == 1 { Ok(()) } else { Err(Error::Message(format!("month {} has moved", month.id))) }
}
