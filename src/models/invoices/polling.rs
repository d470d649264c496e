//! Webhooks get lost, so every invoice that may still be paid is asked for: often at first, then ever more rarely, until
//! a week after its end, for money that is late. A processor that did not answer is asked again within a minute, however
//! old the invoice.

use std::{pin::pin, time::Duration};

use chrono::TimeDelta;
use futures::{StreamExt, future::join_all, stream};
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::DateTimeUtc,
    sea_query::Expr,
};
use tokio::time::sleep;

use super::{Applied, Column, Entity, LIFE, Model, apply, by_id};
use crate::{context::Nproxy, models::clock};

/// The pause before the first look, and the shortest between two.
pub(super) const FIRST: TimeDelta = TimeDelta::seconds(30);
const LONGEST: TimeDelta = TimeDelta::hours(1);
/// So old, an invoice is asked for every half minute.
const YOUNG: TimeDelta = TimeDelta::hours(1);
/// Late money is normal for so long.
const WATCHED: TimeDelta = TimeDelta::days(7);
/// The pause after a look that told nothing.
const UNANSWERED: TimeDelta = TimeDelta::seconds(60);

/// Of one processor: looked at by one pass, at once, and for how long it goes on. What is left is due in the next pass.
const PASS: u64 = 200;
const AT_ONCE: usize = 8;
const PASS_LASTS: Duration = Duration::from_secs(25);

/// What a pass has come to.
#[derive(Debug, Default)]
struct Looks {
    looked: usize,
    paid: usize,
    /// The first of what went wrong on our side; the others were looked at all the same.
    error: Option<loco_rs::Error>,
}

/// Asks for every invoice that is due; how many that were, and how many of them are paid now. Scheduled, and safe from
/// many places at once: each takes an invoice by moving its next look. A processor that hangs holds up only its own.
///
/// # Errors
/// The database does not answer, or an invoice could not be brought up to date; all others were.
pub async fn poll(ctx: &AppContext) -> Result<(usize, usize)> {
    let processors = ctx.parts().processors();
    let passes = join_all(processors.iter().map(|processor| pass(ctx, processor.name()))).await;
    let (mut looked, mut paid, mut error) = (0, 0, None);
    for pass in passes {
        let pass = pass?;
        looked += pass.looked;
        paid += pass.paid;
        error = error.or(pass.error);
    }
    error.map_or(Ok((looked, paid)), Err)
}

async fn pass(ctx: &AppContext, processor: &str) -> Result<Looks> {
    let now = clock::now(&ctx.db).await?;
    let due = Entity::find()
        .filter(Column::Processor.eq(processor))
        .filter(Column::NextPollAt.lte(now))
        .order_by_asc(Column::NextPollAt)
        .limit(PASS)
        .all(&ctx.db)
        .await?;
    let due = stream::iter(due).take_until(sleep(PASS_LASTS));
    let mut answers = pin!(due.map(|invoice| look(ctx, invoice)).buffer_unordered(AT_ONCE));
    let mut looks = Looks::default();
    while let Some(came) = answers.next().await {
        match came {
            Ok(None) => {}
            Ok(Some(applied)) => {
                looks.looked += 1;
                looks.paid += usize::from(matches!(applied, Applied::Stands(_, true)));
            }
            Err(error) => {
                tracing::error!(processor, %error, "an invoice could not be brought up to date");
                looks.error.get_or_insert(error);
            }
        }
    }
    Ok(looks)
}

async fn look(ctx: &AppContext, invoice: Model) -> Result<Option<Applied>> {
    let now = clock::now(&ctx.db).await?;
    if !invoice.claim_look(&ctx.db, now).await? {
        return Ok(None);
    }
    let applied = apply(ctx, invoice.id).await?;
    if matches!(applied, Applied::Unanswered(_) | Applied::NoProcessor) {
        return Ok(Some(applied));
    }
    // The processor has had its say; where it ends nothing by itself, the clock does.
    if let Some(invoice) = by_id(&ctx.db, invoice.id).await? {
        invoice.expire_by_clock(ctx).await?;
        invoice.plan_look(&ctx.db, now).await?;
    }
    Ok(Some(applied))
}

impl Model {
    /// Takes the look. Until the processor has answered, the next one is a minute away: whoever dies over it, or hears
    /// nothing, loses no more.
    async fn claim_look(&self, db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<bool> {
        let won = Entity::update_many()
            .col_expr(Column::NextPollAt, Expr::value(now + UNANSWERED))
            .filter(Column::Id.eq(self.id))
            .filter(Column::NextPollAt.lte(now))
            .exec(db)
            .await?;
        Ok(won.rows_affected == 1)
    }

    /// After an answer. What is watched no longer, by being paid, stays so.
    async fn plan_look(&self, db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::NextPollAt, Expr::value(self.next_look(now)))
            .filter(Column::Id.eq(self.id))
            .filter(Column::NextPollAt.is_not_null())
            .exec(db)
            .await?;
        Ok(())
    }

    /// `None` when it is watched no longer. What nobody has opened nobody can have paid. The age of one that lay ready
    /// counts from when it was opened.
    fn next_look(&self, now: DateTimeUtc) -> Option<DateTimeUtc> {
        let age = now - Ord::max(self.created_at, self.expires_at - LIFE);
        let pause = if age < YOUNG { FIRST } else { (age / 60).clamp(FIRST, LONGEST) };
        (!self.is_unopened() && now < self.expires_at + WATCHED).then(|| now + pause)
    }
}
