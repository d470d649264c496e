//! What a person asks for. `submit` is the way in; what is asked for once more passes the same gates.

mod again;
mod ask;

use durable_jobs::Enqueued;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveEnum,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait, EnumIter, ExprTrait,
    FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait, RelationTrait,
    sea_query::{Asterisk, Expr, Query, SelectStatement},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    _entities::{
        generations::{ActiveModel, Column, Entity, Relation},
        materials, users,
    },
    assets, begin, clock, conversations, debts, holds, insert_new_row, runs,
    switches::{self, Switch},
    text,
};
use crate::{
    context::Nproxy,
    workers::{
        Durable,
        fulfil_run::{FulfilRun, Order},
    },
};

pub use super::_entities::generations::Model;
pub use again::{repeat, retry};
pub use ask::{Ask, DEFAULT_STRENGTH, Faults, PROMPT_MAX, Plan};

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    TextToImage,
    ImageToImage,
    Clip,
}

/// The settings of a generation, as its `params` column holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    pub resolution: String,
    pub aspect_ratio: String,
    pub batch_size: i64,
    /// 0 keeps the source, 1 follows the prompt; image-to-image only.
    pub strength: Option<f32>,
}

/// What became of a wish.
#[derive(Debug)]
pub enum Submission {
    Accepted {
        conversation: conversations::Model,
        generation: Model,
    },
    /// The same `client_token` again: what it started the first time.
    Repeated {
        conversation: conversations::Model,
        generation: Model,
    },
    /// The same `client_token` with another wish: nothing was started.
    TokenReused,
    /// Something in the wish is wrong; by form field.
    Invalid(Faults),
    /// No allowance can pay all of it; nothing was started.
    Short,
    /// The person owes for something that was taken back after it was used; nothing was started.
    InDebt,
    /// The person has enough under way; nothing was started.
    TooMany,
    /// Everybody together has; nothing was started.
    Crowded,
    /// The account was blocked or deleted since the request came in; nothing was started.
    Barred,
    /// The conversation was deleted meanwhile; nothing was started.
    Gone,
    /// An operator lets nothing begin at the moment, and says so; nothing was started.
    Paused(String),
}

/// What became of a run that was to begin.
enum Launch {
    Queued(Enqueued),
    /// There is a run of this number, or one under way.
    Taken,
    /// It may not begin, and why.
    Refused(Submission),
}

/// Runs that one person may have under way at once.
pub const LIVE_RUNS: i64 = 20;

/// Starts a generation: conversation, generation, run, hold and job in one transaction, then the hint.
///
/// # Errors
/// The database or the store does not answer.
pub async fn submit(
    ctx: &AppContext,
    user: &users::Model,
    conversation: Option<conversations::Model>,
    ask: Ask,
) -> Result<Submission> {
    let plan = match ask.check(ctx, user).await? {
        Ok(plan) => plan,
        Err(faults) => return Ok(Submission::Invalid(faults)),
    };
    let txn = begin(&ctx.db).await?;
    let is_new = conversation.is_none();
    let conversation = match conversation {
        Some(conversation) => conversation,
        None => conversations::open(&txn, user, &plan.prompt).await?,
    };
    let Some(generation) = draft(&txn, user, &conversation, &plan).await? else {
        // The same form again, after the first time or at the same moment.
        txn.rollback().await?;
        let first = by_client_token(&ctx.db, user, &plan.client_token).await?.ok_or(Error::NotFound)?;
        return first.repeated(&ctx.db, &plan).await;
    };
    let job = match launch(ctx, &txn, user, &generation, &plan, 1).await? {
        Launch::Queued(job) => job,
        Launch::Taken => return generation.repeated(&txn, &plan).await,
        Launch::Refused(submission) => return Ok(submission),
    };
    if !is_new && !conversation.touch(&txn).await? {
        return Ok(Submission::Gone);
    }
    txn.commit().await?;
    ctx.parts().jobs().hint(&[job]).await;
    Ok(Submission::Accepted { conversation, generation })
}

/// A run with its hold and its job, as part of the caller's transaction.
async fn launch(
    ctx: &AppContext,
    txn: &DatabaseTransaction,
    user: &users::Model,
    generation: &Model,
    plan: &Plan,
    number: i64,
) -> Result<Launch> {
    if !super::users::may_start(txn, user).await? {
        return Ok(Launch::Refused(Submission::Barred));
    }
    let gate = Gate::of(txn, user).await?;
    if let Some(says) = gate.paused {
        return Ok(Launch::Refused(Submission::Paused(says)));
    }
    if gate.live >= LIVE_RUNS {
        return Ok(Launch::Refused(Submission::TooMany));
    }
    if runs::is_crowded(ctx, txn).await? {
        return Ok(Launch::Refused(Submission::Crowded));
    }
    let Some(run) = runs::queue(ctx, txn, generation, plan, number).await? else { return Ok(Launch::Taken) };
    let hold = match gate.owes {
        true => holds::hold(txn, user.id, run.id, plan.cost()).await?,
        false => holds::set_aside(txn, user.id, run.id, plan.cost()).await?,
    };
    match hold {
        holds::Hold::Held(hold) => run.pay_with(txn, &hold).await?,
        holds::Hold::Short => return Ok(Launch::Refused(Submission::Short)),
        holds::Hold::InDebt => return Ok(Launch::Refused(Submission::InDebt)),
    }
    Ok(Launch::Queued(FulfilRun::enqueue(txn, &Order { run: run.id }).await?))
}

/// What may stand in the way of a run, in one question.
#[derive(FromQueryResult)]
struct Gate {
    /// What people read while nothing begins.
    paused: Option<String>,
    /// Runs of the person that somebody works on.
    live: i64,
    owes: bool,
}

impl Gate {
    /// As it stands behind the lock of the person, which the caller has.
    async fn of(txn: &DatabaseTransaction, user: &users::Model) -> Result<Self> {
        let answer = |of: SelectStatement| Expr::SubQuery(None, Box::new(of.into()));
        let live = runs::live(user.id).select_only().expr(Expr::col(Asterisk).count()).into_query();
        let asked = Query::select()
            .expr_as(answer(switches::saying(Switch::GenerationPaused)), "paused")
            .expr_as(answer(live), "live")
            .expr_as(Expr::exists(debts::open(user.id).into_query()), "owes")
            .to_owned();
        let row = txn.query_one(&asked).await?.ok_or(Error::NotFound)?;
        Ok(Self::from_query_result(&row, "")?)
    }
}

/// The turns of a conversation, oldest first: the newest `limit` of them, or of those before a certain one.
///
/// # Errors
/// The database does not answer.
pub async fn of_conversation(
    db: &impl ConnectionTrait,
    conversation: &conversations::Model,
    before: Option<&Model>,
    limit: u64,
) -> Result<Vec<Model>> {
    let mut newest = Entity::find().filter(Column::ConversationId.eq(conversation.id));
    if let Some(before) = before {
        newest = newest.filter(Column::Id.lt(before.id));
    }
    let mut newest = newest.order_by_desc(Column::Id).limit(limit).all(db).await?;
    newest.reverse();
    Ok(newest)
}

/// What the person asked for last, wherever that was.
///
/// # Errors
/// The database does not answer.
pub async fn latest_of(db: &impl ConnectionTrait, user: &users::Model) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).order_by_desc(Column::Id).one(db).await?)
}

/// One of the person's own.
///
/// # Errors
/// The database does not answer.
pub async fn own(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find()
        .join(JoinType::LeftJoin, Relation::Conversations.def())
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Pid.eq(pid))
        .filter(super::_entities::conversations::Column::DeletedAt.is_null())
        .one(db)
        .await?)
}

/// # Errors
/// The database does not answer, or there is none.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Model> {
    Entity::find_by_id(id).one(db).await?.ok_or(Error::NotFound)
}

/// The picture that each of these works on, also when it was deleted since: `(generation, asset)`.
///
/// # Errors
/// The database does not answer.
pub async fn sources(db: &impl ConnectionTrait, of: &[Model]) -> Result<Vec<(i64, assets::Model)>> {
    let ids: Vec<i64> = of.iter().filter(|it| it.mode() != Mode::TextToImage).map(|it| it.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = materials::Entity::find()
        .find_also_related(super::_entities::assets::Entity)
        .filter(materials::Column::GenerationId.is_in(ids))
        .all(db)
        .await?;
    Ok(found.into_iter().filter_map(|(m, asset)| asset.map(|a| (m.generation_id, a))).collect())
}

/// The generation that a delivered picture came from.
///
/// # Errors
/// The database does not answer.
pub async fn of_asset(db: &impl ConnectionTrait, asset_id: i64) -> Result<Option<Model>> {
    Ok(Entity::find()
        .join(JoinType::InnerJoin, Relation::Runs.def())
        .join(JoinType::InnerJoin, super::_entities::runs::Relation::Outputs.def())
        .filter(super::_entities::outputs::Column::AssetId.eq(asset_id))
        .one(db)
        .await?)
}

/// What was asked for when this picture was made.
///
/// # Errors
/// The database does not answer.
pub async fn prompt_of(db: &impl ConnectionTrait, asset_id: i64) -> Result<Option<String>> {
    Ok(of_asset(db, asset_id).await?.map(|generation| generation.prompt))
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps generations.mode to these words")]
    pub fn mode(&self) -> Mode {
        Mode::try_from_value(&self.mode).expect("generations.mode")
    }

    /// # Errors
    /// The column was changed by hand.
    pub fn params(&self) -> Result<Params> {
        serde_json::from_value(self.params.clone()).map_err(Error::wrap)
    }

    /// Where it stands; `None` when that was deleted.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn conversation(&self, db: &impl ConnectionTrait) -> Result<Option<conversations::Model>> {
        match self.conversation_id {
            Some(id) => conversations::by_id(db, id).await,
            None => Ok(None),
        }
    }

    async fn repeated(self, db: &impl ConnectionTrait, plan: &Plan) -> Result<Submission> {
        if self.request_hash != plan.hash() {
            return Ok(Submission::TokenReused);
        }
        Ok(match self.conversation(db).await? {
            Some(conversation) => Submission::Repeated { conversation, generation: self },
            None => Submission::Gone,
        })
    }
}

async fn by_client_token(db: &impl ConnectionTrait, user: &users::Model, token: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::ClientToken.eq(token)).one(db).await?)
}

/// `None` when the token is taken.
async fn draft(
    txn: &DatabaseTransaction,
    user: &users::Model,
    conversation: &conversations::Model,
    plan: &Plan,
) -> Result<Option<Model>> {
    let row = ActiveModel {
        pid: Set(Uuid::now_v7()),
        user_id: Set(user.id),
        conversation_id: Set(Some(conversation.id)),
        kind: Set("image".into()),
        mode: Set(text(plan.mode)),
        model: Set(plan.model.id.clone()),
        prompt: Set(plan.prompt.clone()),
        params: Set(json!(plan.params)),
        client_token: Set(plan.client_token.clone()),
        request_hash: Set(plan.hash()),
        state: Set("ready".into()),
        created_at: Set(clock::now(txn).await?),
        ..Default::default()
    };
    let Some(generation) = insert_new_row(txn, row).await? else { return Ok(None) };
    if let Some(source) = &plan.source {
        let material = materials::ActiveModel {
            generation_id: Set(generation.id),
            asset_id: Set(source.id),
            role: Set("source".into()),
            position: Set(1),
            ..Default::default()
        };
        materials::Entity::insert(material).exec(txn).await?;
    }
    Ok(Some(generation))
}
