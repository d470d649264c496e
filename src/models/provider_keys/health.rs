//! What an outcome does to its key. The whole table is [`rules::verdict`]; everything here carries it out.

use std::time::Duration;

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
    prelude::DateTimeUtc,
    sea_query::{CaseStatement, Expr, Query, SimpleExpr},
};

use super::{
    Column, Entity, Leased, Model, State, balance, exclusions,
    incidents::{self, Strike},
    rules::{self, STRIKES_UNTIL_REVIEW, Verdict, strikes_out},
    transitions::{ASKED_TO_REST, Change},
};
use crate::{
    adapters::images::Failure,
    context::Nproxy,
    models::{
        _entities::key_leases,
        activities::Actor,
        alerts::{self, Kind},
        begin, clock,
    },
    workers::{
        Durable,
        run_task::{Entry, RunTask},
    },
};

/// A picture arrived: the count of failures starts anew, a key on probation is a member again, and one that came back
/// carries twice as much from now on. `cost` in millionths of a dollar is taken off a balance that is known.
pub(crate) async fn succeeded(txn: &DatabaseTransaction, leased: &Leased, cost: Option<i64>) -> Result<()> {
    let now = clock::now(txn).await?;
    let current = Column::Epoch.eq(leased.key.epoch);
    let doubled = || Expr::col(Column::Ramp).mul(2);
    let next_step: SimpleExpr = CaseStatement::new()
        .case(doubled().gte(Expr::col(Column::MaxConcurrency)), Expr::value(None::<i64>))
        .finally(doubled())
        .into();
    Entity::update_many()
        .col_expr(Column::Successes, Expr::col(Column::Successes).add(1))
        .col_expr(Column::SucceededAt, Expr::value(now))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .col_expr(Column::BalanceMicros, Expr::col(Column::BalanceMicros).sub(cost.unwrap_or(0)))
        .col_expr(
            Column::ConsecutiveFailures,
            CaseStatement::new().case(current.clone(), 0).finally(Expr::col(Column::ConsecutiveFailures)).into(),
        )
        .col_expr(
            Column::Ramp,
            CaseStatement::new()
                .case(current.and(Column::State.eq(State::Active)), next_step)
                .finally(Expr::col(Column::Ramp))
                .into(),
        )
        .filter(Column::Id.eq(leased.key.id))
        .exec(txn)
        .await?;
    if leased.key.state() == State::Cooldown {
        leased.key.become_state(txn, &Actor::System, &Change::back("proved by a picture", 0)).await?;
    }
    if let (Some(cost), Some(_)) = (cost, leased.key.balance_micros) {
        balance::spent(txn, leased.key.id, cost).await?;
    }
    Ok(())
}

/// That picture is committed: what waited for one goes on. Asked behind the commit, so that nobody waits for the key meanwhile;
/// nearly always nothing waited, which is one question.
pub(in crate::models) async fn delivered(ctx: &AppContext, leased: &Leased) -> Result<()> {
    let provider = &leased.key.provider;
    let asked = Query::select()
        .expr_as(Expr::exists(incidents::accused(provider).into_query()), "is_accused")
        .expr_as(Expr::exists(alerts::are_open(Some(Kind::ModelGone)).into_query()), "is_missed")
        .to_owned();
    let waits = ctx.db.query_one(&asked).await?.ok_or(Error::NotFound)?;
    let is_incident = match leased.incident_id {
        Some(probed) => incidents::proved(ctx, probed, leased).await?,
        None => false,
    };
    if !is_incident && waits.try_get("", "is_accused")? {
        incidents::judge(ctx, provider).await?;
    }
    if waits.try_get("", "is_missed")? {
        exclusions::served(ctx, leased).await?;
    }
    Ok(())
}

/// Records a failure on its key. An outcome of an older epoch counts in the statistics only: the first of a burst of
/// failures has moved the key already, and what was called before an admin's action does not undo it. Who commits this
/// asks [`incidents::judge`] next if the failure was a strike.
pub(crate) async fn failed(
    ctx: &AppContext,
    txn: &DatabaseTransaction,
    leased: &Leased,
    failure: &Failure,
) -> Result<()> {
    let verdict = rules::verdict(failure);
    // Before the key's row is touched: an incident that closes takes them in this order.
    let withheld = verdict == Verdict::Strike && incidents::withhold(txn, leased, failure.class()).await?;
    // Locked: of two answers at the same time the second has to see what the first has made of the key.
    let Some(key) = super::locked(txn, leased.key.id).await? else { return Ok(()) };
    if verdict != Verdict::Innocent {
        Entity::update_many()
            .col_expr(Column::Failures, Expr::col(Column::Failures).add(1))
            .col_expr(Column::LastError, Expr::value(failure.to_string()))
            .filter(Column::Id.eq(key.id))
            .exec(txn)
            .await?;
    }
    let now = clock::now(txn).await?;
    if withheld {
        return Ok(());
    }
    if key.epoch != leased.key.epoch {
        return match verdict {
            Verdict::Rest(Some(asked)) => key.prolong_rest(txn, now, asked).await,
            _ => Ok(()),
        };
    }
    let reason = failure.class();
    let change = match verdict {
        Verdict::Innocent => return Ok(()),
        Verdict::Exclude => return key.exclude(ctx, txn, &leased.wire_model, now).await,
        Verdict::Out(state) => Change::out(state, reason, key.consecutive_failures),
        Verdict::Rest(asked) => {
            let until = key.rest_until(now, asked.unwrap_or(ctx.parts().settings().pool.cooldown()));
            Change::rest(reason, until, key.consecutive_failures)
        }
        Verdict::Strike => {
            let strikes = key.consecutive_failures + 1;
            incidents::mark(txn, &key, &Strike { class: reason, at: now, incident_id: None }).await?;
            if strikes_out(strikes) && !incidents::may_be_everybody(txn, &key, now).await? {
                Change::out(State::ManualReview, reason, strikes)
            } else {
                let rest = rules::with_jitter(ctx.parts().settings().pool.cooldown(), &mut rand::rng());
                Change::rest(reason, key.rest_until(now, rest), strikes)
            }
        }
    };
    if key.become_state(txn, &Actor::System, &change).await? && change.state == State::OutOfFunds {
        // What the account holds is of interest now, not in ten minutes. Nobody waits for it, so no hint is sent.
        let _without_hint =
            RunTask::enqueue(txn, &Entry::new("provider_balance_refresh", &[("key", key.id.to_string())])).await?;
    }
    Ok(())
}

/// Scheduled: the column follows the clock. Selection has judged these keys fit already. Returns how many came back.
///
/// # Errors
/// The database does not answer.
pub async fn recover_cooled(ctx: &AppContext) -> Result<usize> {
    for provider in super::providers(&ctx.db).await? {
        incidents::judge(ctx, &provider).await?;
    }
    let now = clock::now(&ctx.db).await?;
    let due = Entity::find()
        .filter(rested(now))
        .order_by_asc(Column::Id)
        .select_only()
        .column(Column::Id)
        .into_tuple::<i64>()
        .all(&ctx.db)
        .await?;
    let mut recovered = 0;
    for id in due {
        let txn = begin(&ctx.db).await?;
        // Locked first and looked at then: its probe may have begun this very moment.
        let Some(key) = super::locked(&txn, id).await? else { continue };
        let is_due = key.state() == State::Cooldown && key.cooldown_until.is_some_and(|until| until <= now);
        if !is_due || is_leased(&txn, id, now).await? {
            continue;
        }
        key.become_state(&txn, &Actor::System, &Change::back("rested", key.consecutive_failures)).await?;
        txn.commit().await?;
        recovered += 1;
    }
    Ok(recovered)
}

/// Keys whose rest is over by the clock. One that has struck out is none of them: it waits to be judged.
pub(super) fn rested(now: DateTimeUtc) -> SimpleExpr {
    Column::State
        .eq(State::Cooldown)
        .and(Column::CooldownUntil.lte(now))
        .and(Column::ConsecutiveFailures.lte(STRIKES_UNTIL_REVIEW))
}

async fn is_leased(db: &impl ConnectionTrait, key_id: i64, now: DateTimeUtc) -> Result<bool> {
    let leases = key_leases::Entity::find()
        .filter(key_leases::Column::ProviderKeyId.eq(key_id))
        .filter(key_leases::Column::ExpiresAt.gt(now));
    Ok(leases.count(db).await? > 0)
}

impl Model {
    /// A call that was under way when the key began to rest has learned that the vendor wants it to rest longer.
    async fn prolong_rest(&self, txn: &DatabaseTransaction, now: DateTimeUtc, asked: Duration) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::CooldownUntil, Expr::value(self.rest_until(now, asked)))
            .col_expr(Column::StateReason, Expr::value(ASKED_TO_REST))
            .filter(Column::Id.eq(self.id))
            .filter(Column::Epoch.eq(self.epoch))
            .filter(Column::State.eq(State::Cooldown))
            .exec(txn)
            .await?;
        Ok(())
    }
}
