//! Every movement of an allowance, appended and never changed: the database itself refuses UPDATE and DELETE. The sums
//! of the deltas are the balances, and `check` proves it.

pub mod check;
mod history;

use loco_rs::Result;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    DeriveActiveEnum, EntityTrait, EnumIter, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use super::{
    _entities::{
        allowances, debts, holds,
        ledger_entries::{ActiveModel, Column, Entity},
    },
    activities::Actor,
    clock, text,
};

pub use super::_entities::ledger_entries::Model;
pub use history::{History, Line, history};

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    Grant,
    Hold,
    Capture,
    Release,
    Adjust,
    Expire,
}

/// One movement before it is written.
#[derive(Debug)]
pub(super) struct Movement {
    kind: Kind,
    idempotency_key: String,
    available_delta: i64,
    posted_delta: i64,
    hold_id: Option<i64>,
    debt_id: Option<i64>,
    reason: String,
}

impl Movement {
    pub(super) fn new(kind: Kind, idempotency_key: String, available_delta: i64, posted_delta: i64) -> Self {
        Self {
            kind,
            idempotency_key,
            available_delta,
            posted_delta,
            hold_id: None,
            debt_id: None,
            reason: String::new(),
        }
    }

    pub(super) fn of(mut self, hold: &holds::Model) -> Self {
        self.hold_id = Some(hold.id);
        self.reason = format!("run {}", hold.run_id);
        self
    }

    pub(super) fn towards(mut self, debt: &debts::Model) -> Self {
        self.debt_id = Some(debt.id);
        self.reason = format!("debt {}", debt.id);
        self
    }

    pub(super) fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    pub(super) const fn available_delta(&self) -> i64 {
        self.available_delta
    }

    pub(super) const fn posted_delta(&self) -> i64 {
        self.posted_delta
    }
}

/// Writes a movement; `after` is the allowance as it stands behind it. A second one with the same key is an error of the
/// database, which undoes the whole transaction.
pub(super) async fn append(
    txn: &DatabaseTransaction,
    after: &allowances::Model,
    movement: Movement,
    actor: &Actor,
) -> Result<Model> {
    Ok(ActiveModel {
        allowance_id: Set(after.id),
        kind: Set(text(movement.kind)),
        available_delta: Set(movement.available_delta),
        posted_delta: Set(movement.posted_delta),
        available_after: Set(after.available),
        posted_after: Set(after.posted),
        hold_id: Set(movement.hold_id),
        debt_id: Set(movement.debt_id),
        actor: Set(actor.name()),
        reason: Set(movement.reason),
        idempotency_key: Set(movement.idempotency_key),
        created_at: Set(clock::now(txn).await?),
        ..Default::default()
    }
    .insert(txn)
    .await?)
}

/// The story of one allowance, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn of_allowance(db: &impl ConnectionTrait, allowance_id: i64) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::AllowanceId.eq(allowance_id)).order_by_asc(Column::Id).all(db).await?)
}

/// The latest movements of all that a person ever had, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn latest_of(db: &impl ConnectionTrait, user_id: i64, count: u64) -> Result<Vec<Model>> {
    let theirs = allowances::Entity::find().select_only().column(allowances::Column::Id);
    let theirs = theirs.filter(allowances::Column::UserId.eq(user_id)).into_query();
    let latest = Entity::find().filter(Column::AllowanceId.in_subquery(theirs)).order_by_desc(Column::Id);
    Ok(latest.limit(count).all(db).await?)
}

/// What was really spent on an allowance: pictures that arrived, and debts that it paid.
pub(super) async fn used(db: &impl ConnectionTrait, allowance_id: i64) -> Result<i64> {
    let spent: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::PostedDelta)
        .filter(Column::AllowanceId.eq(allowance_id))
        .filter(Column::Kind.eq(Kind::Capture).or(Column::DebtId.is_not_null()))
        .into_tuple()
        .all(db)
        .await?;
    Ok(-spent.into_iter().sum::<i64>())
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps ledger_entries.kind to these words")]
    pub fn kind(&self) -> Kind {
        Kind::try_from_value(&self.kind).expect("ledger_entries.kind")
    }
}
