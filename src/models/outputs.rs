//! The places of a run: one picture each.

use loco_rs::Result;
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait,
    EnumIter, QueryFilter, QueryOrder, sea_query::Expr,
};

use super::{
    _entities::outputs::{ActiveModel, Column, Entity},
    clock,
    runs::Reason,
    text,
};

pub use super::_entities::outputs::Model;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    Waiting,
    Done,
    Failed,
}

/// One empty place per picture asked for, counted from 1.
pub(super) async fn lay_out(txn: &DatabaseTransaction, run_id: i64, count: i64) -> Result<()> {
    let places = Place::all(run_id, count).into_iter().map(|place| ActiveModel {
        run_id: Set(place.run_id),
        position: Set(place.position),
        state: Set(text(State::Waiting)),
        ..Default::default()
    });
    Entity::insert_many(places).exec_without_returning(txn).await?;
    Ok(())
}

/// Where a picture of a run belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub run_id: i64,
    /// Counted from 1.
    pub position: i64,
}

/// # Errors
/// The database does not answer.
pub async fn of_runs(db: &impl ConnectionTrait, run_ids: Vec<i64>) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::RunId.is_in(run_ids)).order_by_asc(Column::Position).all(db).await?)
}

/// Those that are still to be filled.
pub(super) async fn waiting(db: &impl ConnectionTrait, run_id: i64) -> Result<Vec<Place>> {
    let waiting = of_runs(db, vec![run_id]).await?.into_iter().filter(|place| place.state() == State::Waiting);
    Ok(waiting.map(|place| Place { run_id, position: place.position }).collect())
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps outputs.state to these words")]
    pub fn state(&self) -> State {
        State::try_from_value(&self.state).expect("outputs.state")
    }

    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.failure.as_ref().and_then(|failure| Reason::try_from_value(failure).ok())
    }
}

impl Place {
    /// All places of a run.
    pub(super) fn all(run_id: i64, count: i64) -> Vec<Self> {
        (1..=count).map(|position| Self { run_id, position }).collect()
    }

    /// Is it still to be filled? Asked of the database: another process may have done it.
    pub(super) async fn is_waiting(self, db: &impl ConnectionTrait) -> Result<bool> {
        let place = Entity::find().filter(Column::RunId.eq(self.run_id)).filter(Column::Position.eq(self.position));
        Ok(place.one(db).await?.is_some_and(|place| place.state() == State::Waiting))
    }

    /// `waiting → done`; `false` when it is taken or given up already.
    pub(super) async fn fill(self, txn: &DatabaseTransaction, asset_id: i64) -> Result<bool> {
        let filled = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(State::Done)))
            .col_expr(Column::AssetId, Expr::value(asset_id))
            .col_expr(Column::FinishedAt, Expr::value(clock::now(txn).await?))
            .filter(Column::RunId.eq(self.run_id))
            .filter(Column::Position.eq(self.position))
            .filter(Column::State.eq(State::Waiting))
            .exec(txn)
            .await?;
        Ok(filled.rows_affected == 1)
    }
}

/// `waiting → failed` for one place, or for all that still wait.
pub(super) async fn give_up(
    txn: &DatabaseTransaction,
    run_id: i64,
    position: Option<i64>,
    reason: Reason,
) -> Result<u64> {
    let mut places = Entity::update_many()
        .col_expr(Column::State, Expr::value(text(State::Failed)))
        .col_expr(Column::Failure, Expr::value(text(reason)))
        .col_expr(Column::FinishedAt, Expr::value(clock::now(txn).await?))
        .filter(Column::RunId.eq(run_id))
        .filter(Column::State.eq(State::Waiting));
    if let Some(position) = position {
        places = places.filter(Column::Position.eq(position));
    }
    Ok(places.exec(txn).await?.rows_affected)
}
