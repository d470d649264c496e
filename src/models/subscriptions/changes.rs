//! What an operator does to somebody's plan: gives days, or ends it.

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use serde_json::json;

use super::cycles;
use crate::models::{
    activities::{self, Actor},
    allowances, begin, clock, users,
};

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub enum ByHand {
    Done,
    /// No month runs and none waits, so there is nothing to change; a month can be granted.
    NothingRuns,
}

/// The running month ends so many days later, and what waits behind it begins and ends as much later. Nothing of what is
/// left changes.
///
/// # Errors
/// There is no such person, or the database does not answer.
pub async fn extend(ctx: &AppContext, user_id: i64, days: i64, reason: &str, actor: &Actor) -> Result<ByHand> {
    let txn = begin(&ctx.db).await?;
    users::by_id(&txn, user_id).await?.ok_or(Error::NotFound)?;
    allowances::one_at_a_time(&txn, user_id).await?;
    let now = clock::now(&txn).await?;
    let cycles = cycles(&txn, user_id, now).await?;
    let Some(running) = &cycles.running else { return Ok(ByHand::NothingRuns) };
    let by = TimeDelta::try_days(days).ok_or_else(|| Error::string("too many days"))?;
    let subscription = super::of(&txn, user_id).await?.ok_or(Error::NotFound)?;
    let detail = json!({
        "user": user_id, "allowance": running.id, "days": days, "was_to_end": running.expires_at, "reason": reason,
    });
    activities::record(&txn, actor, "extend_subscription", ("subscription", subscription.id), detail).await?;
    allowances::move_by(&txn, running, by, now).await?;
    for month in cycles.waiting() {
        allowances::move_by(&txn, month, by, now).await?;
    }
    txn.commit().await?;
    Ok(ByHand::Done)
}

/// Every month that runs or waits ends now, and what is left of it with it. What runs under way is delivered; nothing is
/// owed, and nothing is paid back.
///
/// # Errors
/// There is no such person, or the database does not answer.
pub async fn cancel(ctx: &AppContext, user_id: i64, reason: &str, actor: &Actor) -> Result<ByHand> {
    let txn = begin(&ctx.db).await?;
    users::by_id(&txn, user_id).await?.ok_or(Error::NotFound)?;
    allowances::one_at_a_time(&txn, user_id).await?;
    let now = clock::now(&txn).await?;
    let cycles = cycles(&txn, user_id, now).await?;
    if !cycles.goes_on() {
        return Ok(ByHand::NothingRuns);
    }
    let months: Vec<_> = cycles.begun().iter().chain(cycles.waiting()).collect();
    let ended: Vec<_> = months
        .iter()
        .map(|month| json!({ "allowance": month.id, "left": month.available, "was_to_end": month.expires_at }))
        .collect();
    let subscription = super::of(&txn, user_id).await?.ok_or(Error::NotFound)?;
    let detail = json!({ "user": user_id, "ended": ended, "reason": reason });
    activities::record(&txn, actor, "cancel_subscription", ("subscription", subscription.id), detail).await?;
    for month in cycles.begun() {
        allowances::end_now(&txn, month.id, now, "the plan was ended", actor).await?;
    }
    for month in cycles.waiting() {
        allowances::begin_at(&txn, month.id, now).await?;
        allowances::end_now(&txn, month.id, now, "the plan was ended", actor).await?;
    }
    txn.commit().await?;
    Ok(ByHand::Done)
}
