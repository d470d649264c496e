//! One launch of a generation, from the queue to its last picture. Whoever wins the change to a final state settles the
//! hold; nobody else does.

mod calling;
mod crowd;
mod delivery;
mod ending;
mod fulfilment;
mod glance;
mod letting_go;
mod lookup;
pub mod recovery;
mod revelation;
mod waiting;

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveEnum,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait, EnumIter, ExprTrait,
    PaginatorTrait, QueryFilter,
    sea_query::{Expr, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    _entities::{
        generations, holds as hold_rows,
        runs::{ActiveModel, Column, Entity, Relation},
    },
    clock,
    generations::Plan,
    insert_new_row, is, outputs, text,
};
use crate::context::Nproxy;

pub use super::_entities::runs::Model;
pub use crowd::{Crowd, is_crowded};
pub use fulfilment::fulfil;
pub use glance::{Glance, glance};
pub(super) use letting_go::let_go;
pub use lookup::{by_id, ended_since, latest_of, live_of, named, of_generations, own, with_places};
pub(super) use lookup::{live, live_in, need};
pub use revelation::{Revealed, reveal};
pub use waiting::{AHEAD_MAX, Pace, Paces, ahead, pace, queue_of};

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    Queued,
    Running,
    Succeeded,
    Failed,
    Canceled,
}

/// Why there is no picture, in the person's terms: what the provider said stays inside.
#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Reason {
    /// The prompt, or the picture sent along, was declined.
    RefusedPrompt,
    /// The result was withheld.
    RefusedOutput,
    /// Too close to protected work.
    Recitation,
    /// The request cannot be made as it is.
    BadInput,
    /// Answers without a picture.
    Empty,
    /// Every key was tried, or none is fit.
    Unavailable,
    /// The time was up.
    Deadline,
    /// The pictures could not be stored.
    Storage,
    /// The picture to start from could not be read.
    Source,
    /// The person wants no more of it.
    Canceled,
}

/// Everything that the run needs, as it was when it was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// Whose pictures they are; `None` from before this was written down.
    #[serde(default)]
    pub user_id: Option<i64>,
    pub provider: String,
    pub wire_model: String,
    pub prompt: String,
    pub resolution: String,
    pub aspect_ratio: String,
    pub strength: Option<f32>,
    pub source_asset_id: Option<i64>,
}

/// How somebody who is to work on a run finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Nobody has worked on it before.
    Fresh,
    /// Somebody has, and went away.
    Again,
}

/// States that somebody still works on.
pub(super) const LIVE: [State; 2] = [State::Queued, State::Running];

/// `queued`, with its places laid out; the hold and the job follow in the same transaction. `None` when the generation
/// has a run of this number, or one that somebody still works on.
pub(super) async fn queue(
    ctx: &AppContext,
    txn: &DatabaseTransaction,
    generation: &generations::Model,
    plan: &Plan,
    number: i64,
) -> Result<Option<Model>> {
    let now = clock::now(txn).await?;
    let snapshot = Snapshot {
        user_id: Some(generation.user_id),
        provider: plan.model.provider.clone(),
        wire_model: plan.model.wire_model.clone(),
        prompt: plan.prompt.clone(),
        resolution: plan.params.resolution.clone(),
        aspect_ratio: plan.params.aspect_ratio.clone(),
        strength: plan.params.strength,
        source_asset_id: plan.source.as_ref().map(|asset| asset.id),
    };
    let patience = TimeDelta::from_std(ctx.parts().settings().pool.run()).map_err(Error::wrap)?;
    let row = ActiveModel {
        pid: Set(Uuid::now_v7()),
        generation_id: Set(generation.id),
        number: Set(number),
        state: Set(text(State::Queued)),
        inputs_snapshot: Set(json!(snapshot)),
        outputs_requested: Set(plan.params.batch_size),
        outputs_delivered: Set(0),
        version: Set(0),
        deadline_at: Set(now + patience),
        created_at: Set(now),
        ..Default::default()
    };
    let Some(run) = insert_new_row(txn, row).await? else { return Ok(None) };
    outputs::lay_out(txn, run.id, plan.params.batch_size).await?;
    Ok(Some(run))
}

/// In the words of the partial index: values in their place would hide it from the planner, and the question would walk
/// through all that a person ever asked for.
fn is_live() -> SimpleExpr {
    Expr::cust("runs.state IN ('queued', 'running')")
}

/// Waits for a worker; in the words of its own partial index.
fn is_queued() -> SimpleExpr {
    Expr::cust("runs.state = 'queued'")
}

/// The person has seen how those of these ended that are over, or is told: claimed once. `true` when one of them was news.
/// Where none is, nothing is asked.
///
/// # Errors
/// The database does not answer.
pub async fn notice(db: &impl ConnectionTrait, runs: &[Model]) -> Result<bool> {
    let news: Vec<i64> = runs.iter().filter(|run| run.is_news()).map(|run| run.id).collect();
    if news.is_empty() {
        return Ok(false);
    }
    let noticed = Entity::update_many()
        .col_expr(Column::NoticedAt, Expr::value(clock::now(db).await?))
        .filter(Column::Id.is_in(news))
        .filter(Column::State.is_not_in(LIVE))
        .filter(Column::NoticedAt.is_null())
        .exec(db)
        .await?;
    Ok(noticed.rows_affected > 0)
}

/// How many of the pictures of a generation its runs have not brought.
#[must_use]
pub fn missing(runs: &[Model], batch_size: i64) -> i64 {
    let delivered: i64 = runs.iter().map(|run| run.outputs_delivered).sum();
    Ord::max(batch_size - delivered, 0)
}

/// `queued → running`. A job that runs again finds `running` and goes on. `None` when the run is final.
async fn start(db: &impl ConnectionTrait, id: i64) -> Result<Option<(Model, Start)>> {
    let started = Entity::update_many()
        .col_expr(Column::State, Expr::value(text(State::Running)))
        .col_expr(Column::StartedAt, Expr::value(clock::now(db).await?))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(id))
        .filter(is(Column::State, State::Queued))
        .exec_with_returning(db)
        .await?;
    if let Some(run) = started.into_iter().next() {
        return Ok(Some((run, Start::Fresh)));
    }
    Ok(by_id(db, id).await?.filter(|run| !run.is_final()).map(|run| (run, Start::Again)))
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps runs.state to these words")]
    pub fn state(&self) -> State {
        State::try_from_value(&self.state).expect("runs.state")
    }

    #[must_use]
    pub fn is_final(&self) -> bool {
        !LIVE.contains(&self.state())
    }

    /// Is it over, and has nobody noticed?
    fn is_news(&self) -> bool {
        self.is_final() && self.noticed_at.is_none()
    }

    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.failure.as_ref().and_then(|failure| Reason::try_from_value(failure).ok())
    }

    pub(super) async fn pay_with(&self, txn: &DatabaseTransaction, hold: &hold_rows::Model) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::HoldId, Expr::value(hold.id))
            .filter(Column::Id.eq(self.id))
            .exec(txn)
            .await?;
        Ok(())
    }

    /// Does somebody still work on it? Asked of the database, not of this copy.
    pub(super) async fn is_live(&self, db: &impl ConnectionTrait) -> Result<bool> {
        let live = Entity::find().filter(Column::Id.eq(self.id)).filter(is_live()).count(db).await?;
        Ok(live == 1)
    }

    /// A picture more, or one less to wait for: pages show it at their next poll. `false` when the run is final.
    async fn progressed(&self, txn: &DatabaseTransaction, delivered: i64) -> Result<bool> {
        let moved = Entity::update_many()
            .col_expr(Column::OutputsDelivered, Expr::col(Column::OutputsDelivered).add(delivered))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.eq(self.id))
            .filter(is_live())
            .exec(txn)
            .await?;
        Ok(moved.rows_affected == 1)
    }
}
