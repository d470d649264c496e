//! Calls to providers: a row before each call, closed after it. What is open while nobody works on it was cut off, and
//! may have been billed.

use loco_rs::Result;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum,
    EntityTrait, EnumIter, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use super::{
    _entities::attempts::{ActiveModel, Column, Entity},
    clock,
    provider_keys::Leased,
    text,
};
use crate::adapters::images::{Failure, Output};

pub use super::_entities::attempts::Model;

/// What a key costs is told of so many of its calls.
const LATEST: u64 = 500;

/// Not closed yet.
pub const OPEN: &str = "open";
/// Cut off by a crash: nobody saw the end.
pub const UNKNOWN: &str = "unknown";

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Via {
    Proxy,
    Direct,
}

impl Via {
    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proxy => "through its proxy",
            Self::Direct => "directly",
        }
    }
}

/// Written before the call. The database refuses a second attempt of one output on the same key by the same way.
///
/// # Errors
/// The database does not answer, or this way was tried already.
pub async fn open(db: &impl ConnectionTrait, leased: &Leased, via: Via) -> Result<Model> {
    Ok(ActiveModel {
        run_id: Set(leased.run_id),
        position: Set(leased.position),
        provider_key_id: Set(leased.key.id),
        epoch: Set(leased.key.epoch),
        via: Set(text(via)),
        outcome: Set(OPEN.into()),
        maybe_billed: Set(false),
        created_at: Set(clock::now(db).await?),
        ..Default::default()
    }
    .insert(db)
    .await?)
}

impl Model {
    /// Closes the attempt with what came of it, and what it cost in millionths of a US dollar.
    pub(super) async fn close(
        &self,
        txn: &DatabaseTransaction,
        result: std::result::Result<(), &Failure>,
        cost: Option<i64>,
    ) -> Result<()> {
        let now = clock::now(txn).await?;
        let (outcome, maybe_billed, status, detail) = match result {
            Ok(()) => (Output::CLASS, false, Some(200), None),
            Err(failure) => (
                failure.class(),
                failure.may_have_run(),
                failure.http_status().map(i64::from),
                Some(failure.detail().to_owned()),
            ),
        };
        Entity::update_many()
            .col_expr(Column::Outcome, Expr::value(outcome))
            .col_expr(Column::MaybeBilled, Expr::value(maybe_billed))
            .col_expr(Column::HttpStatus, Expr::value(status))
            .col_expr(Column::Detail, Expr::value(detail))
            .col_expr(Column::CostMicros, Expr::value(cost))
            .col_expr(Column::LatencyMs, Expr::value((now - self.created_at).num_milliseconds()))
            .col_expr(Column::FinishedAt, Expr::value(now))
            .filter(Column::Id.eq(self.id))
            .filter(Column::Outcome.eq(OPEN))
            .exec(txn)
            .await?;
        Ok(())
    }
}

/// Closes what a dead process left open for this output, or for all of a run that is over, and counts it as perhaps billed.
pub(in crate::models) async fn close_abandoned(
    db: &impl ConnectionTrait,
    run_id: i64,
    position: Option<i64>,
) -> Result<u64> {
    let mut abandoned = Entity::update_many()
        .col_expr(Column::Outcome, Expr::value(UNKNOWN))
        .col_expr(Column::MaybeBilled, Expr::value(true))
        .col_expr(Column::FinishedAt, Expr::value(clock::now(db).await?))
        .filter(Column::RunId.eq(run_id))
        .filter(Column::Outcome.eq(OPEN));
    if let Some(position) = position {
        abandoned = abandoned.filter(Column::Position.eq(position));
    }
    Ok(abandoned.exec(db).await?.rows_affected)
}

/// How often a call for this output ended without anybody knowing whether it was billed.
pub(super) async fn ambiguous(db: &impl ConnectionTrait, run_id: i64, position: i64) -> Result<u64> {
    Ok(Entity::find()
        .filter(Column::RunId.eq(run_id))
        .filter(Column::Position.eq(position))
        .filter(Column::MaybeBilled.eq(true))
        .count(db)
        .await?)
}

/// Every call of a run, in order.
///
/// # Errors
/// The database does not answer.
pub async fn of_run(db: &impl ConnectionTrait, run_id: i64) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::RunId.eq(run_id)).order_by_asc(Column::Id).all(db).await?)
}

/// The latest calls on a key, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn of_key(db: &impl ConnectionTrait, key_id: i64, count: u64) -> Result<Vec<Model>> {
    let calls = Entity::find().filter(Column::ProviderKeyId.eq(key_id)).order_by_desc(Column::Id);
    Ok(calls.limit(count).all(db).await?)
}

/// What the latest calls on a key cost, in millionths of a US dollar; `None` when nothing is known of it.
///
/// # Errors
/// The database does not answer.
pub async fn cost_of_key(db: &impl ConnectionTrait, key_id: i64) -> Result<Option<i64>> {
    let latest = Entity::find()
        .select_only()
        .column(Column::CostMicros)
        .filter(Column::ProviderKeyId.eq(key_id))
        .order_by_desc(Column::Id)
        .limit(LATEST);
    let costs: Vec<Option<i64>> = latest.into_tuple().all(db).await?;
    let known: Vec<i64> = costs.into_iter().flatten().collect();
    Ok((!known.is_empty()).then(|| known.into_iter().sum()))
}
