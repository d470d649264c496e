//! A month of the plan that nobody paid for: an operator gives it, and it is in all else like one that was.

use loco_rs::{Result, app::AppContext};
use serde_json::json;

use super::{activate, cycles};
use crate::{
    context::Nproxy,
    models::{
        activities::{self, Actor},
        allowances::{self, Gift, Grant, Kind, Model},
        begin, clock, users,
    },
};

/// Gives the plan's month with its whole limit: at once, or behind what runs or waits. The activity that records it is the
/// source, so that one click is one month. `None` when there is no such account.
///
/// # Errors
/// The database does not answer.
pub async fn give_month(ctx: &AppContext, email: &str, reason: &str, actor: &Actor) -> Result<Option<Model>> {
    let parts = ctx.parts();
    let plan = parts.catalogue().plan();
    let txn = begin(&ctx.db).await?;
    let Some(user) = users::by_email(&txn, &users::normalized(email)).await? else { return Ok(None) };
    allowances::one_at_a_time(&txn, user.id).await?;
    let now = clock::now(&txn).await?;
    let before = cycles(&txn, user.id, now).await?;
    let (starts_at, expires_at) = before.next(now);
    let detail = json!({ "kind": "quota", "plan": plan.code, "starts_at": starts_at, "expires_at": expires_at, "reason": reason });
    let activity = activities::record(&txn, actor, "grant_allowance", ("user", user.id), detail).await?;
    activate(&txn, user.id, &plan.code, &before, starts_at).await?;
    let gift = Gift {
        kind: Kind::Quota,
        amount: plan.requests.unwrap_or_default(),
        starts_at,
        expires_at: Some(expires_at),
        source: format!("admin:{}", activity.id),
        reason,
    };
    let given = match allowances::grant(&txn, &user, gift, actor).await? {
        Grant::Granted(month) => Some(month),
        Grant::AlreadyGranted => None,
    };
    txn.commit().await?;
    Ok(given)
}
