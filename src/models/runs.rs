//! One launch of a generation, from the queue to its last picture. Whoever wins the change to a final state settles the
//! hold; nobody else does.

mod delivery;
mod fulfilment;
pub mod recovery;

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    DeriveActiveEnum, EntityTrait, EnumIter, ExprTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    RelationTrait, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    _entities::{
        generations, holds as hold_rows,
        runs::{ActiveModel, Column, Entity, Relation},
        users,
    },
    attempts, begin, clock,
    generations::Plan,
    holds, outputs, provider_keys, text,
};
use crate::context::Nproxy;

pub use super::_entities::runs::Model;
pub use fulfilment::fulfil;

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
}

/// Everything that the run needs, as it was when it was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub provider: String,
    pub wire_model: String,
    pub prompt: String,
    pub resolution: String,
    pub aspect_ratio: String,
    pub strength: Option<f32>,
    pub source_asset_id: Option<i64>,
}

/// States that somebody still works on.
pub(super) const LIVE: [State; 2] = [State::Queued, State::Running];

/// `queued`, with its places laid out; the hold and the job follow in the same transaction.
pub(super) async fn queue(
    ctx: &AppContext,
    txn: &DatabaseTransaction,
    generation: &generations::Model,
    plan: &Plan,
) -> Result<Model> {
    let now = clock::now(txn).await?;
    let before = Entity::find().filter(Column::GenerationId.eq(generation.id)).count(txn).await?;
    let snapshot = Snapshot {
        provider: plan.model.provider.clone(),
        wire_model: plan.model.wire_model.clone(),
        prompt: plan.prompt.clone(),
        resolution: plan.params.resolution.clone(),
        aspect_ratio: plan.params.aspect_ratio.clone(),
        strength: plan.params.strength,
        source_asset_id: plan.source.as_ref().map(|asset| asset.id),
    };
    let patience = TimeDelta::from_std(ctx.parts().settings().pool.run()).map_err(Error::wrap)?;
    let run = ActiveModel {
        pid: Set(Uuid::now_v7()),
        generation_id: Set(generation.id),
        number: Set(i64::try_from(before).unwrap_or(i64::MAX - 1) + 1),
        state: Set(text(State::Queued)),
        inputs_snapshot: Set(json!(snapshot)),
        outputs_requested: Set(plan.params.batch_size),
        outputs_delivered: Set(0),
        version: Set(0),
        deadline_at: Set(now + patience),
        created_at: Set(now),
        ..Default::default()
    }
    .insert(txn)
    .await?;
    outputs::lay_out(txn, run.id, plan.params.batch_size).await?;
    Ok(run)
}

/// How many runs of this person somebody still works on.
///
/// # Errors
/// The database does not answer.
pub async fn live_of(db: &impl ConnectionTrait, user_id: i64) -> Result<u64> {
    Ok(Entity::find()
        .join(JoinType::InnerJoin, Relation::Generations.def())
        .filter(generations::Column::UserId.eq(user_id))
        .filter(Column::State.is_in(LIVE))
        .count(db)
        .await?)
}

/// One of the person's own, with what was asked for; a stranger's is simply not found.
///
/// # Errors
/// The database does not answer.
pub async fn own(
    db: &impl ConnectionTrait,
    user: &users::Model,
    pid: Uuid,
) -> Result<Option<(Model, generations::Model)>> {
    let found = Entity::find()
        .find_also_related(generations::Entity)
        .filter(Column::Pid.eq(pid))
        .filter(generations::Column::UserId.eq(user.id))
        .one(db)
        .await?;
    Ok(found.and_then(|(run, generation)| Some((run, generation?))))
}

/// The newest run of each of these generations.
///
/// # Errors
/// The database does not answer.
pub async fn newest_of(db: &impl ConnectionTrait, generation_ids: Vec<i64>) -> Result<Vec<Model>> {
    let mut all = Entity::find()
        .filter(Column::GenerationId.is_in(generation_ids))
        .order_by_asc(Column::GenerationId)
        .order_by_desc(Column::Number)
        .all(db)
        .await?;
    all.dedup_by_key(|run| run.generation_id);
    Ok(all)
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
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

    /// `queued → running`; `false` when it is final already. A job that runs again finds `running` and goes on.
    async fn start(&self, db: &impl ConnectionTrait) -> Result<bool> {
        let started = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(State::Running)))
            .col_expr(Column::StartedAt, Expr::value(clock::now(db).await?))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.eq(self.id))
            .filter(Column::State.eq(State::Queued))
            .exec(db)
            .await?;
        Ok(started.rows_affected == 1 || self.is_live(db).await?)
    }

    /// Does somebody still work on it? Asked of the database, not of this copy.
    pub(super) async fn is_live(&self, db: &impl ConnectionTrait) -> Result<bool> {
        let live = Entity::find().filter(Column::Id.eq(self.id)).filter(Column::State.is_in(LIVE)).count(db).await?;
        Ok(live == 1)
    }

    /// A picture more, or one less to wait for: pages show it at their next poll. `false` when the run is final.
    async fn progressed(&self, txn: &DatabaseTransaction, delivered: i64) -> Result<bool> {
        let moved = Entity::update_many()
            .col_expr(Column::OutputsDelivered, Expr::col(Column::OutputsDelivered).add(delivered))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.eq(self.id))
            .filter(Column::State.is_in(LIVE))
            .exec(txn)
            .await?;
        Ok(moved.rows_affected == 1)
    }

    /// The end, whoever brings it: the worker or the deadline. Places that still wait are given up for `leftover`; what was
    /// delivered is captured, the rest released. `false` when somebody else ended it before.
    pub(super) async fn settle(&self, ctx: &AppContext, leftover: Reason) -> Result<bool> {
        let txn = begin(&ctx.db).await?;
        // Leases before the run, as whoever delivers takes them.
        provider_keys::release_all(&txn, self.id).await?;
        // The row is locked by this write before anything is counted.
        if !self.progressed(&txn, 0).await? {
            return Ok(false);
        }
        outputs::give_up(&txn, self.id, None, leftover).await?;
        attempts::close_abandoned(&txn, self.id, None).await?;
        let places = outputs::of_runs(&txn, vec![self.id]).await?;
        let done = places.iter().filter(|place| place.state() == outputs::State::Done).count();
        let delivered = i64::try_from(done).map_err(Error::wrap)?;
        let (state, failure) = match delivered {
            0 => (State::Failed, places.iter().find_map(|place| place.failure.clone())),
            _ => (State::Succeeded, None),
        };
        Entity::update_many()
            .col_expr(Column::State, Expr::value(text(state)))
            .col_expr(Column::Failure, Expr::value(failure))
            .col_expr(Column::FinishedAt, Expr::value(clock::now(&txn).await?))
            .filter(Column::Id.eq(self.id))
            .exec(&txn)
            .await?;
        holds::settle(&txn, self.id, delivered, self.outputs_requested).await?;
        txn.commit().await?;
        tracing::info!(run.id = self.id, state = text(state), delivered, "run settled");
        Ok(true)
    }
}
