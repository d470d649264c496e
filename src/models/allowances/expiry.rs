//! What is left of a month when it is over is written off. That is book-keeping: whether a month counts is judged by the
//! clock wherever it is asked, so nothing waits for this.

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::DateTimeUtc,
};

use super::{Closed, Column, Entity, locked};
use crate::models::{
    OneByOne,
    activities::Actor,
    begin, clock,
    ledger_entries::{Kind, Movement},
};

/// Looked up at once; each is written off in a transaction of its own.
const PAGE: u64 = 200;

/// Writes off every month that is over; how many there were. Scheduled, and safe at any time, twice and at once.
///
/// # Errors
/// The database does not answer, or something is wrong with a month; all others were written off.
pub async fn expire_due(ctx: &AppContext) -> Result<usize> {
    let (mut written_off, mut months, mut after) = (0, OneByOne::default(), None);
    loop {
        let due = due(ctx, after).await?;
        for (id, _) in &due {
            let expired = write_off(ctx, *id).await;
            written_off += usize::from(months.came(expired, "a month could not be written off", *id)?);
        }
        match due.last() {
            Some(last) if due.len() as u64 == PAGE => after = Some(*last),
            Some(_) | None => return months.end(written_off),
        }
    }
}

async fn write_off(ctx: &AppContext, id: i64) -> Result<bool> {
    let txn = begin(&ctx.db).await?;
    let expired = expire(&txn, id).await?;
    txn.commit().await?;
    Ok(expired)
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

/// A page of those behind `after`, each with when it was over: one that resists is not come to again.
async fn due(ctx: &AppContext, after: Option<(i64, DateTimeUtc)>) -> Result<Vec<(i64, DateTimeUtc)>> {
    let behind = after.map(|(id, end)| {
        let at_once = Condition::all().add(Column::ExpiresAt.eq(end)).add(Column::Id.gt(id));
        Condition::any().add(Column::ExpiresAt.gt(end)).add(at_once)
    });
    Ok(Entity::find()
        .select_only()
        .columns([Column::Id, Column::ExpiresAt])
        .filter(Column::ExpiredAt.is_null())
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.lte(clock::now(&ctx.db).await?))
        .filter(Condition::all().add_option(behind))
        .order_by_asc(Column::ExpiresAt)
        .order_by_asc(Column::Id)
        .limit(PAGE)
        .into_tuple()
        .all(&ctx.db)
        .await?)
}
