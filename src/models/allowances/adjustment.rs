//! An operator puts a balance right, up or down.

use loco_rs::{Result, app::AppContext};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::{Closed, Model, locked_with_person};
use crate::models::{
    activities::{self, Actor},
    begin, clock, debts,
    ledger_entries::{Kind, Movement},
};

/// What became of an adjustment.
#[derive(Debug, PartialEq, Eq)]
pub enum Adjustment {
    Adjusted(Model),
    /// It would take more than is free; nothing moved.
    BelowZero {
        free: i64,
    },
    /// A month that is over, or something taken back, is not opened again: grant anew.
    Closed(Closed),
    Unknown,
}

/// Adds `by` to what is free, or takes it away, never zero; `key` makes it happen once.
///
/// # Errors
/// The database does not answer, or the key was used before.
pub async fn adjust(
    txn: &DatabaseTransaction,
    id: i64,
    by: i64,
    key: String,
    reason: &str,
    actor: &Actor,
) -> Result<Adjustment> {
    let Some(allowance) = locked_with_person(txn, id).await? else { return Ok(Adjustment::Unknown) };
    let now = clock::now(txn).await?;
    if let Some(closed) = allowance.closed(now) {
        return Ok(Adjustment::Closed(closed));
    }
    if allowance.available + by < 0 {
        return Ok(Adjustment::BelowZero { free: allowance.available });
    }
    let user_id = allowance.user_id;
    let movement = Movement::new(Kind::Adjust, key, by, by).because(reason);
    let allowance = allowance.post(txn, vec![movement], actor).await?;
    if by > 0 && debts::collect(txn, user_id, now, actor).await? {
        return Ok(super::by_id(txn, id).await?.map_or(Adjustment::Unknown, Adjustment::Adjusted));
    }
    Ok(Adjustment::Adjusted(allowance))
}

/// An operator's adjustment: the activity that records it is its key, so that one click is one adjustment.
///
/// # Errors
/// The database does not answer.
pub async fn adjust_by_hand(ctx: &AppContext, id: i64, by: i64, reason: &str, actor: &Actor) -> Result<Adjustment> {
    let txn = begin(&ctx.db).await?;
    let Some(allowance) = locked_with_person(&txn, id).await? else { return Ok(Adjustment::Unknown) };
    let detail = json!({ "user": allowance.user_id, "by": by, "reason": reason });
    let activity = activities::record(&txn, actor, "adjust_allowance", ("allowance", id), detail).await?;
    let adjustment = adjust(&txn, id, by, format!("adjust:{}", activity.id), reason, actor).await?;
    match adjustment {
        Adjustment::Adjusted(_) => txn.commit().await?,
        Adjustment::BelowZero { .. } | Adjustment::Closed(_) | Adjustment::Unknown => txn.rollback().await?,
    }
    Ok(adjustment)
}
