//! Webhooks get lost, so every invoice that may still be paid is asked for: often at first, then ever more rarely, until
//! a week after its end, for money that is late.

use chrono::TimeDelta;
use futures::{StreamExt, stream};
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::DateTimeUtc,
    sea_query::Expr,
};

use super::{Applied, Column, Entity, Model, apply, by_id};
use crate::models::clock;

/// The pause before the first look, and the shortest between two.
pub(super) const FIRST: TimeDelta = TimeDelta::seconds(30);
const LONGEST: TimeDelta = TimeDelta::hours(1);
/// So old, an invoice is asked for every half minute.
const YOUNG: TimeDelta = TimeDelta::hours(1);
/// Late money is normal for so long.
const WATCHED: TimeDelta = TimeDelta::days(7);

/// Looked at by one pass, and at once: a processor that hangs must not hold up everybody.
const PASS: u64 = 200;
const AT_ONCE: usize = 8;

/// Asks for every invoice that is due; how many that were, and how many of them are paid now. Scheduled, and safe from
/// many places at once: each takes an invoice by moving its next look.
///
/// # Errors
/// The database does not answer.
pub async fn poll(ctx: &AppContext) -> Result<(usize, usize)> {
    let now = clock::now(&ctx.db).await?;
    let due = Entity::find()
        .filter(Column::NextPollAt.lte(now))
        .order_by_asc(Column::NextPollAt)
        .limit(PASS)
        .all(&ctx.db)
        .await?;
    let mut looks = stream::iter(due).map(|invoice| look(ctx, invoice)).buffer_unordered(AT_ONCE);
    let (mut looked, mut paid) = (0, 0);
    while let Some(came) = looks.next().await {
        if let Some(applied) = came? {
            looked += 1;
            paid += usize::from(matches!(applied, Applied::Stands(_, true)));
        }
    }
    Ok((looked, paid))
}

async fn look(ctx: &AppContext, invoice: Model) -> Result<Option<Applied>> {
    let now = clock::now(&ctx.db).await?;
    if !invoice.claim_look(&ctx.db, now).await? {
        return Ok(None);
    }
    let applied = apply(ctx, invoice.id).await?;
    // The processor has had its say; where it ends nothing by itself, the clock does.
    if !matches!(applied, Applied::Unanswered(_) | Applied::NoProcessor)
        && let Some(invoice) = by_id(&ctx.db, invoice.id).await?
    {
        invoice.expire_by_clock(ctx).await?;
    }
    Ok(Some(applied))
}

impl Model {
    async fn claim_look(&self, db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<bool> {
        let won = Entity::update_many()
            .col_expr(Column::NextPollAt, Expr::value(self.next_look(now)))
            .filter(Column::Id.eq(self.id))
            .filter(Column::NextPollAt.lte(now))
            .exec(db)
            .await?;
        Ok(won.rows_affected == 1)
    }

    /// `None` when it is watched no longer.
    fn next_look(&self, now: DateTimeUtc) -> Option<DateTimeUtc> {
        let age = now - self.created_at;
        let pause = if age < YOUNG { FIRST } else { (age / 60).clamp(FIRST, LONGEST) };
        (now < self.expires_at + WATCHED).then(|| now + pause)
    }
}
