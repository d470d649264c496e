//! What an outcome does to its key. The whole table is `verdict`; everything else carries it out.

use std::time::Duration;

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use rand::Rng;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, QueryOrder, prelude::DateTimeUtc,
    sea_query::Expr,
};
use serde_json::json;

use super::{Column, Entity, Leased, Model, State};
use crate::{
    adapters::images::Failure,
    context::Nproxy,
    models::{
        activities::{self, Actor},
        begin, clock, text,
    },
};

/// The eleventh failure in a row, across rests, sends a key to a person.
const STRIKES_UNTIL_REVIEW: i64 = 10;

/// Rests end a little apart, so that keys do not come back in a crowd.
const JITTER: f64 = 0.10;

/// What a failure means for the key it happened on.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Not the key's fault.
    Innocent,
    /// Rests for at least so long, without a strike.
    Rest(Option<Duration>),
    /// A strike, and a rest; a person looks at the eleventh.
    Strike,
    /// Out until a person acts.
    Out(State),
}

fn verdict(failure: &Failure) -> Verdict {
    match failure {
        Failure::Refused { .. } | Failure::Empty { .. } | Failure::OurFault { .. } => Verdict::Innocent,
        // The proxy's doing. Where the same key is tried directly afterwards, that call speaks for the key.
        Failure::ProxyFault { .. } => Verdict::Innocent,
        // The account cannot use the model: the pool serves one model per provider, so resting the key is resting the pair.
        Failure::ModelAccess { .. } => Verdict::Rest(Some(MODEL_ACCESS_REST)),
        Failure::RateLimited { retry_after, .. } => Verdict::Rest(*retry_after),
        Failure::Transient { .. } | Failure::NotSent { .. } | Failure::Ambiguous { .. } => Verdict::Strike,
        Failure::Credential { .. } => Verdict::Out(State::ManualReview),
        Failure::OutOfFunds { .. } => Verdict::Out(State::OutOfFunds),
    }
}

/// A model that a key may not use today it will hardly use in five minutes.
const MODEL_ACCESS_REST: Duration = Duration::from_secs(12 * 60 * 60);

/// A picture arrived: the count of failures starts anew, and a key on probation is a full member again.
pub(crate) async fn succeeded(txn: &DatabaseTransaction, leased: &Leased) -> Result<()> {
    let now = clock::now(txn).await?;
    Entity::update_many()
        .col_expr(Column::Successes, Expr::col(Column::Successes).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(leased.key.id))
        .exec(txn)
        .await?;
    Entity::update_many()
        .col_expr(Column::ConsecutiveFailures, Expr::value(0))
        .filter(Column::Id.eq(leased.key.id))
        .filter(Column::Epoch.eq(leased.key.epoch))
        .exec(txn)
        .await?;
    if leased.key.state() == State::Cooldown {
        leased.key.become_state(txn, State::Active, "proved by a picture", None, 0).await?;
    }
    Ok(())
}

/// Records a failure on its key. An outcome of an older epoch counts in the statistics only: the first of a burst of
/// failures has moved the key already, and what was called before an admin's action does not undo it.
pub(crate) async fn failed(
    ctx: &AppContext,
    txn: &DatabaseTransaction,
    leased: &Leased,
    failure: &Failure,
) -> Result<()> {
    let Some(key) = super::by_id(txn, leased.key.id).await? else { return Ok(()) };
    let verdict = verdict(failure);
    if verdict != Verdict::Innocent {
        Entity::update_many()
            .col_expr(Column::Failures, Expr::col(Column::Failures).add(1))
            .col_expr(Column::LastError, Expr::value(failure.to_string()))
            .filter(Column::Id.eq(key.id))
            .exec(txn)
            .await?;
    }
    if key.epoch != leased.key.epoch {
        return Ok(());
    }
    let reason = failure.class();
    match verdict {
        Verdict::Innocent => Ok(()),
        Verdict::Out(state) => key.become_state(txn, state, reason, None, key.consecutive_failures).await,
        Verdict::Rest(asked) => {
            let until = key.rest_until(txn, asked.unwrap_or(ctx.parts().settings().pool.cooldown())).await?;
            key.become_state(txn, State::Cooldown, reason, Some(until), key.consecutive_failures).await
        }
        Verdict::Strike => {
            let strikes = key.consecutive_failures + 1;
            if strikes > STRIKES_UNTIL_REVIEW {
                return key.become_state(txn, State::ManualReview, reason, None, strikes).await;
            }
            let cooldown = ctx.parts().settings().pool.cooldown();
            let jitter = rand::rng().random_range(0.0..JITTER);
            let until = key.rest_until(txn, cooldown.mul_f64(1.0 + jitter)).await?;
            key.become_state(txn, State::Cooldown, reason, Some(until), strikes).await
        }
    }
}

/// Scheduled: the column follows the clock. Selection has judged these keys fit already. Returns how many came back.
///
/// # Errors
/// The database does not answer.
pub async fn recover_cooled(ctx: &AppContext) -> Result<usize> {
    let now = clock::now(&ctx.db).await?;
    let due = Entity::find()
        .filter(Column::State.eq(State::Cooldown))
        .filter(Column::CooldownUntil.lte(now))
        .order_by_asc(Column::Id)
        .all(&ctx.db)
        .await?;
    for key in &due {
        let txn = begin(&ctx.db).await?;
        key.become_state(&txn, State::Active, "rested", None, key.consecutive_failures).await?;
        txn.commit().await?;
    }
    Ok(due.len())
}

impl Model {
    /// Never earlier than what was decided before.
    async fn rest_until(&self, txn: &DatabaseTransaction, rest: Duration) -> Result<DateTimeUtc> {
        let until = clock::now(txn).await? + TimeDelta::from_std(rest).unwrap_or(TimeDelta::days(1));
        Ok(self.cooldown_until.map_or(until, |before| std::cmp::max(before, until)))
    }

    /// Moves the key, bumps its epoch and writes who did it; nothing if somebody moved it in between.
    async fn become_state(
        &self,
        txn: &DatabaseTransaction,
        state: State,
        reason: &str,
        cooldown_until: Option<DateTimeUtc>,
        consecutive_failures: i64,
    ) -> Result<()> {
        let moved = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(state)))
            .col_expr(Column::StateReason, Expr::value(reason))
            .col_expr(Column::CooldownUntil, Expr::value(cooldown_until))
            .col_expr(Column::ConsecutiveFailures, Expr::value(consecutive_failures))
            .col_expr(Column::Epoch, Expr::col(Column::Epoch).add(1))
            .col_expr(Column::UpdatedAt, Expr::value(clock::now(txn).await?))
            .filter(Column::Id.eq(self.id))
            .filter(Column::Epoch.eq(self.epoch))
            .exec(txn)
            .await?;
        if moved.rows_affected == 0 {
            return Ok(());
        }
        tracing::info!(key.id = self.id, from = self.state, to = text(state), reason, "provider key moved");
        let detail = json!({ "from": self.state, "to": text(state), "reason": reason });
        activities::record(txn, &Actor::System, "change_provider_key_state", ("provider_key", self.id), detail).await?;
        Ok(())
    }
}
