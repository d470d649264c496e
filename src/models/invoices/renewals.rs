//! Three days before a plan ends an invoice for the next month lies ready, so that a mail leads straight to it. The
//! processor hears of it, and an amount is promised, when somebody opens it. It extends nothing: only a payment does.

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, prelude::DateTimeUtc,
};

use super::{Column, Entity, Kind, State, checkout::draft, unfinished};
use crate::{
    adapters::payments::Processor,
    context::{Nproxy, Parts},
    models::{OneByOne, allowances, begin, clock, subscriptions, text, users},
};

/// So long before the end it is there.
const READY: TimeDelta = TimeDelta::hours(72);
/// Who is late finds it for so long after the end.
const KEPT: TimeDelta = TimeDelta::days(7);

/// Looked up at once.
const PAGE: u64 = 200;

/// Lays an invoice ready for everybody whose plan ends soon and who has none; how many that were. Scheduled, and safe at
/// any time, twice and at once: one that is open is used again, and one that ran out in this time is not replaced.
///
/// # Errors
/// The database does not answer, or an invoice could not be laid ready; all others were.
pub async fn prepare_renewals(ctx: &AppContext) -> Result<usize> {
    let now = clock::now(&ctx.db).await?;
    let (mut prepared, mut months, mut after) = (0, OneByOne::default(), 0);
    loop {
        let ending = allowances::ending(&ctx.db, (now, now + READY), after, PAGE).await?;
        for month in &ending {
            let is_new = prepare(ctx, month, now).await;
            prepared += usize::from(months.came(is_new, "a renewal could not be laid ready", month.id)?);
        }
        match ending.last() {
            Some(last) if ending.len() as u64 == PAGE => after = last.id,
            Some(_) | None => return months.end(prepared),
        }
    }
}

async fn prepare(ctx: &AppContext, ending: &allowances::Model, now: DateTimeUtc) -> Result<bool> {
    if renewing(&ctx.db, ending, now).await?.is_none() {
        return Ok(false);
    }
    let txn = begin(&ctx.db).await?;
    allowances::one_at_a_time(&txn, ending.user_id).await?;
    let Some((user, end)) = renewing(&txn, ending, now).await? else { return Ok(false) };
    if let Some(open) = unfinished(&txn, user.id).await? {
        if open.state_at(now).is_open() {
            return Ok(false);
        }
        open.leave(&txn, State::Expired).await?;
    }
    let parts = ctx.parts();
    let Some(processor) = usual(&txn, &parts, user.id).await? else { return Ok(false) };
    let mut row = draft(&user, &processor, parts.catalogue().plan(), now);
    row.expires_at = Set(end + KEPT);
    // Until it is opened there is nothing to ask for; then it is closed.
    row.next_poll_at = Set(Some(end + KEPT));
    row.insert(&txn).await?;
    txn.commit().await?;
    Ok(true)
}

/// Whose plan ends with this month, and when; `None` when another follows, when they are not let in, or when they have had
/// an invoice for it.
async fn renewing(
    db: &impl ConnectionTrait,
    ending: &allowances::Model,
    now: DateTimeUtc,
) -> Result<Option<(users::Model, DateTimeUtc)>> {
    let user = users::by_id(db, ending.user_id).await?.filter(users::Model::can_be_told);
    let (Some(user), Some(end)) = (user, ending.expires_at) else { return Ok(None) };
    let last = subscriptions::cycles(db, user.id, now).await?.last;
    if last.is_none_or(|last| last.id != ending.id) {
        return Ok(None);
    }
    let made = Entity::find()
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Kind.eq(text(Kind::Subscription)))
        .filter(Column::CreatedAt.gte(end - READY));
    Ok((made.count(db).await? == 0).then_some((user, end)))
}

/// The processor that the person paid at last, or the first on offer.
async fn usual(db: &impl ConnectionTrait, parts: &Parts, user_id: i64) -> Result<Option<Processor>> {
    let last = Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::State.eq(text(State::Paid)))
        .order_by_desc(Column::Id)
        .one(db)
        .await?;
    let usual = last.and_then(|invoice| parts.processor(&invoice.processor));
    Ok(usual.or_else(|| parts.processors().into_iter().next()))
}
