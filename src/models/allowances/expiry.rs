//! What is left of a month when it is over is written off. That is book-keeping: whether a month counts is judged by the
//! clock wherever it is asked, so nothing waits for this.

use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Closed, Column, Entity, locked};
use crate::models::{
    activities::Actor,
    begin, clock,
    ledger_entries::{Kind, Movement},
};

/// Looked up at once; each is written off in a transaction of its own.
const PAGE: u64 = 200;

/// Writes off every month that is over; how many there were. Scheduled, and safe at any time, twice and at once.
///
/// # Errors
/// The database does not answer.
pub async fn expire_due(ctx: &AppContext) -> Result<usize> {
    let mut written_off = 0;
    loop {
        let due = due(ctx).await?;
        for id in &due {
            let txn = begin(&ctx.db).await?;
            written_off += usize::from(expire(&txn, *id).await?);
            txn.commit().await?;
        }
        if (due.len() as u64) < PAGE {
            return Ok(written_off);
        }
    }
}

/// Writes off one month, once it is over; `false` when it is not, or when somebody else did before. What runs under way
/// have set aside stays with them.
///
/// # Errors
/// The database does not answer.
pub async fn expire(txn: &DatabaseTransaction, id: i64) -> Result<bool> {
    let mut allowance = locked(txn, id).await?;
    let now = clock::now(txn).await?;
    if allowance.expired_at.is_some() || allowance.closed(now) != Some(Closed::Ended) {
        return Ok(false);
    }
    let left = allowance.available;
    allowance.expired_at = Some(now);
    let movement = Movement::new(Kind::Expire, format!("expire:{id}"), -left, -left).because("the period is over");
    let movements = if left > 0 { vec![movement] } else { Vec::new() };
    allowance.post(txn, movements, &Actor::System).await?;
    Ok(true)
}

async fn due(ctx: &AppContext) -> Result<Vec<i64>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::ExpiredAt.is_null())
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.lte(clock::now(&ctx.db).await?))
        .order_by_asc(Column::ExpiresAt)
        .limit(PAGE)
        .into_tuple()
        .all(&ctx.db)
        .await?)
}
