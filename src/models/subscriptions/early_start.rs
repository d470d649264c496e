//! "Start my next month now": who has used up the running month, or nearly, need not wait for its end.

use loco_rs::{Result, app::AppContext};
use sea_orm::prelude::DateTimeUtc;
use serde_json::json;

use super::cycles;
use crate::models::{
    activities::{self, Actor},
    allowances::{self, Model},
    begin, clock, users,
};

/// What became of the wish.
#[derive(Debug, PartialEq, Eq)]
pub enum EarlyStart {
    /// The month that waited runs now, in full.
    Started(Model),
    /// No month waits that was to begin then: none was paid for, or it has begun by now. Nothing changed.
    NothingWaits,
    /// The account was blocked or deleted since the request came in; nothing changed.
    Barred,
}

/// Gives up what is left of the running month; the one that was to begin at `waiting` begins now and ends a calendar
/// month from now, and what waits behind it follows. Asked twice, for the same month, it happens once.
///
/// # Errors
/// The database does not answer.
pub async fn start_next_now(ctx: &AppContext, user: &users::Model, waiting: DateTimeUtc) -> Result<EarlyStart> {
    let actor = Actor::User(user.id);
    let txn = begin(&ctx.db).await?;
    allowances::one_at_a_time(&txn, user.id).await?;
    if !users::may_start(&txn, user).await? {
        return Ok(EarlyStart::Barred);
    }
    let now = clock::now(&txn).await?;
    let cycles = cycles(&txn, user.id, now).await?;
    let Some(next) = cycles.waiting().first().filter(|month| month.starts_at == waiting) else {
        return Ok(EarlyStart::NothingWaits);
    };
    let mut given_up = Vec::new();
    for month in cycles.begun() {
        given_up.push(json!({ "allowance": month.id, "left": month.available, "was_to_end": month.expires_at }));
        allowances::end_now(&txn, month.id, now, "given up for the next month", &actor).await?;
    }
    let mut starts_at = now;
    for month in cycles.waiting() {
        starts_at = allowances::begin_at(&txn, month.id, starts_at).await?;
    }
    let detail = json!({ "user": user.id, "was_to_begin": waiting, "given_up": given_up });
    activities::record(&txn, &actor, "start_month_early", ("allowance", next.id), detail).await?;
    let started = allowances::by_id(&txn, next.id).await?.map_or(EarlyStart::NothingWaits, EarlyStart::Started);
    txn.commit().await?;
    Ok(started)
}
