//! A plan that ends is spoken of: seven days before, three, one, and when it has. Which of these is true is judged by the
//! clock when it is asked, so a task that runs days late tells one thing and not four; each is told once per month.

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{ConnectionTrait, prelude::DateTimeUtc};
use serde_json::json;

use super::cycles;
use crate::{
    context::Nproxy,
    models::{
        OneByOne,
        allowances::{self, Model},
        begin, clock, invoices,
        notifications::{self, Kind},
        users,
    },
};

/// That a plan has ended is news for so long.
const NEWS: TimeDelta = TimeDelta::days(14);

/// Looked up at once.
const PAGE: u64 = 200;

/// How near the end is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    SevenDays,
    ThreeDays,
    OneDay,
    Ended,
}

const STAGES: [Stage; 4] = [Stage::SevenDays, Stage::ThreeDays, Stage::OneDay, Stage::Ended];

/// What there is to tell a person about the end of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub month: Model,
    pub stage: Stage,
}

impl Stage {
    /// From so long before the end on.
    #[must_use]
    pub const fn begins(self) -> TimeDelta {
        match self {
            Self::SevenDays => TimeDelta::days(7),
            Self::ThreeDays => TimeDelta::days(3),
            Self::OneDay => TimeDelta::days(1),
            Self::Ended => TimeDelta::zero(),
        }
    }

    /// The one that is true at this moment, if any is.
    #[must_use]
    pub fn at(now: DateTimeUtc, end: DateTimeUtc) -> Option<Self> {
        let left = end - now;
        STAGES.into_iter().rfind(|stage| left <= stage.begins()).filter(|_| left > -NEWS)
    }

    const fn kind(self) -> Kind {
        match self {
            Self::SevenDays | Self::ThreeDays | Self::OneDay => Kind::RenewalDue,
            Self::Ended => Kind::PlanEnded,
        }
    }
}

impl Warning {
    /// Names the month and the stage, so that each is told once.
    #[must_use]
    pub fn dedupe_key(&self) -> String {
        match self.stage {
            Stage::Ended => format!("plan_ended:{}", self.month.id),
            Stage::SevenDays | Stage::ThreeDays | Stage::OneDay => {
                format!("renewal_due:{}:{}", self.month.id, self.stage.begins().num_days())
            }
        }
    }
}

/// What is true of a person's plan at this moment. Nothing when another month follows, or when money for one was seen.
///
/// # Errors
/// The database does not answer.
pub async fn warning(db: &impl ConnectionTrait, user_id: i64, now: DateTimeUtc) -> Result<Option<Warning>> {
    let Some(month) = cycles(db, user_id, now).await?.last else { return Ok(None) };
    let Some(stage) = month.expires_at.and_then(|end| Stage::at(now, end)) else { return Ok(None) };
    let is_being_paid = invoices::open_of(db, user_id, now).await?.is_some_and(|open| open.is_being_paid());
    Ok((!is_being_paid).then_some(Warning { month, stage }))
}

/// Tells everybody whose plan ends, or has ended, and who was not told yet; how many that were. Scheduled, and safe at any
/// time, twice and at once.
///
/// # Errors
/// The database does not answer, or somebody could not be told; all others were.
pub async fn warn_due(ctx: &AppContext) -> Result<usize> {
    let now = clock::now(&ctx.db).await?;
    let window = (now - NEWS, now + Stage::SevenDays.begins());
    let (mut told, mut months, mut after) = (0, OneByOne::default(), 0);
    loop {
        let ending = allowances::ending(&ctx.db, window, after, PAGE).await?;
        for month in &ending {
            let warned = warn(ctx, month, now).await;
            told += usize::from(months.came(warned, "the end of a month could not be told", month.id)?);
        }
        match ending.last() {
            Some(last) if ending.len() as u64 == PAGE => after = last.id,
            Some(_) | None => return months.end(told),
        }
    }
}

/// `false` when there is nothing to tell, or it was told.
async fn warn(ctx: &AppContext, ending: &Model, now: DateTimeUtc) -> Result<bool> {
    let of_this_month = |warning: &Warning| warning.month.id == ending.id;
    let Some(warning) = warning(&ctx.db, ending.user_id, now).await?.filter(of_this_month) else { return Ok(false) };
    if notifications::is_told(&ctx.db, &warning.dedupe_key()).await? {
        return Ok(false);
    }
    let txn = begin(&ctx.db).await?;
    // A payment that comes in at this moment comes before or after, not in between.
    allowances::one_at_a_time(&txn, ending.user_id).await?;
    if !users::by_id(&txn, ending.user_id).await?.is_some_and(|user| user.can_be_told()) {
        return Ok(false);
    }
    let Some(warning) = self::warning(&txn, ending.user_id, now).await?.filter(of_this_month) else {
        return Ok(false);
    };
    let (kind, detail) = (warning.stage.kind(), json!({ "month": ending.id }));
    let job = notifications::mail(&txn, kind, warning.dedupe_key(), ending.user_id, detail).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(job.as_slice()).await;
    Ok(job.is_some())
}
