//! What a run may cost, set aside before it starts and settled exactly once: captured for the pictures delivered,
//! released for the rest.

use loco_rs::Result;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    DeriveActiveEnum, EntityTrait, EnumIter, ExprTrait, QueryFilter, sea_query::Expr,
};
use serde_json::json;

use super::{
    _entities::holds::{ActiveModel, Column, Entity},
    activities::Actor,
    allowances::{self, Closed, Kind},
    clock, debts, is,
    ledger_entries::{self, Movement},
    notifications, text,
};

pub use super::_entities::holds::Model;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    Open,
    Captured,
    Released,
}

/// What a run of `outputs` pictures costs: each picture is one request of a quota or trial, or its price in tokens.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub outputs: i64,
    pub tokens_each: i64,
}

impl Cost {
    #[must_use]
    pub const fn of(self, kind: Kind) -> i64 {
        match kind {
            Kind::Quota | Kind::Trial => self.outputs,
            Kind::Tokens => self.outputs * self.tokens_each,
        }
    }
}

/// What became of the wish to set something aside.
#[derive(Debug)]
pub enum Hold {
    Held(Model),
    /// No single allowance can pay the whole run; nothing was set aside.
    Short,
    /// The person owes for something that was taken back after it was used; nothing was set aside.
    InDebt,
}

/// Sets the cost of a run aside, unless the person owes something that they cannot pay. Unless it is `Held`, the caller gives
/// the transaction up.
///
/// # Errors
/// The database does not answer.
pub async fn hold(txn: &DatabaseTransaction, user_id: i64, run_id: i64, cost: Cost) -> Result<Hold> {
    allowances::one_at_a_time(txn, user_id).await?;
    let now = clock::now(txn).await?;
    if debts::still_owed(txn, user_id, now).await? {
        return Ok(Hold::InDebt);
    }
    set_aside(txn, user_id, run_id, cost).await
}

/// Sets the cost of a run aside on the first allowance that can pay all of it. The person is locked, and owes nothing.
pub(super) async fn set_aside(txn: &DatabaseTransaction, user_id: i64, run_id: i64, cost: Cost) -> Result<Hold> {
    // One moment for all of it: what is held at this second was current at this second.
    let now = clock::now(txn).await?;
    for allowance in allowances::current_at(txn, user_id, now).await? {
        let amount = cost.of(allowance.kind());
        let Some(after) = allowance.claim(txn, amount).await? else { continue };
        let hold = ActiveModel {
            allowance_id: Set(allowance.id),
            run_id: Set(run_id),
            amount: Set(amount),
            captured_amount: Set(0),
            state: Set(text(State::Open)),
            created_at: Set(now),
            ..Default::default()
        }
        .insert(txn)
        .await?;
        let movement = Movement::new(ledger_entries::Kind::Hold, format!("hold:{run_id}"), -amount, 0);
        ledger_entries::append(txn, &after, movement.of(&hold), &Actor::User(user_id)).await?;
        return Ok(Hold::Held(hold));
    }
    Ok(Hold::Short)
}

/// Ends the hold of a run: `delivered` of `requested` pictures are paid, the rest is free again, unless the allowance is
/// over or was taken back meanwhile. `false` when somebody else ended it before; then nothing moves.
///
/// # Errors
/// The database does not answer.
pub async fn settle(txn: &DatabaseTransaction, run_id: i64, delivered: i64, requested: i64) -> Result<bool> {
    let state = if delivered > 0 { State::Captured } else { State::Released };
    let now = clock::now(txn).await?;
    let won = Entity::update_many()
        .col_expr(Column::State, Expr::value(text(state)))
        .col_expr(Column::CapturedAmount, Expr::col(Column::Amount).div(requested).mul(delivered))
        .col_expr(Column::SettledAt, Expr::value(now))
        .filter(Column::RunId.eq(run_id))
        .filter(is(Column::State, State::Open))
        .exec_with_returning(txn)
        .await?;
    let Some(hold) = won.into_iter().next() else { return Ok(false) };
    let captured = hold.captured_amount;
    let released = hold.amount - captured;
    let capture = || Movement::new(ledger_entries::Kind::Capture, format!("capture:{run_id}"), 0, -captured).of(&hold);
    let allowance = if released == 0 {
        // What is paid is paid, whatever became of the allowance.
        allowances::post_one(txn, hold.allowance_id, capture(), &Actor::System).await?
    } else {
        let allowance = allowances::locked(txn, hold.allowance_id).await?;
        let release = Movement::new(ledger_entries::Kind::Release, format!("release:{run_id}"), released, 0).of(&hold);
        let taken = allowance.closed(now).map(|closed| closed.takes(released, run_id).of(&hold));
        let movements = (captured > 0).then(capture).into_iter().chain([release]).chain(taken);
        allowance.post(txn, movements.collect(), &Actor::System).await?
    };
    let closed = allowance.closed(now);
    let was_low = allowance.is_low_with(allowance.posted + captured);
    if closed.is_none() && !was_low && allowance.is_low() {
        tell_low(txn, &allowance).await?;
    }
    if captured > 0 && closed == Some(Closed::Revoked) {
        debts::incur_late(txn, &allowance, &hold, captured).await?;
    }
    Ok(true)
}

/// One mail for each month that runs low. Its job needs no hint: it is no hurry.
async fn tell_low(txn: &DatabaseTransaction, month: &allowances::Model) -> Result<()> {
    let key = format!("quota_low:{}", month.id);
    notifications::mail(txn, notifications::Kind::QuotaLow, key, month.user_id, json!({ "month": month.id })).await?;
    Ok(())
}

/// # Errors
/// The database does not answer.
pub async fn of_run(db: &impl ConnectionTrait, run_id: i64) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::RunId.eq(run_id)).one(db).await?)
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps holds.state to these words")]
    pub fn state(&self) -> State {
        State::try_from_value(&self.state).expect("holds.state")
    }
}
