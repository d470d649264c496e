//! What a person asks for. `submit` is the one way in: page, API and bot all call it.

mod ask;

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait,
    EnumIter, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    _entities::{
        generations::{ActiveModel, Column, Entity, Relation},
        materials, users,
    },
    assets, begin, clock, conversations, holds, insert_new, runs, text,
};
use crate::{
    context::Nproxy,
    workers::{
        Durable,
        fulfil_run::{FulfilRun, Order},
    },
};

pub use super::_entities::generations::Model;
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
    /// The account was blocked or deleted since the request came in; nothing was started.
    Barred,
}

/// Runs that one person may have under way at once.
pub const LIVE_RUNS: u64 = 20;

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
    if !super::users::may_start(&txn, user).await? {
        return Ok(Submission::Barred);
    }
    if let Some(first) = by_client_token(&txn, user, &plan.client_token).await? {
        return first.repeated(&txn, &plan).await;
    }
    if runs::live_of(&txn, user.id).await? >= LIVE_RUNS {
        return Ok(Submission::TooMany);
    }
    let conversation = match conversation {
        Some(conversation) => conversation,
        None => conversations::open(&txn, user, &plan.prompt).await?,
    };
    let Some(generation) = draft(&txn, user, &conversation, &plan).await? else {
        // Another request with the same token won while we looked: start over and find it.
        txn.rollback().await?;
        let first = by_client_token(&ctx.db, user, &plan.client_token).await?.ok_or(Error::NotFound)?;
        return first.repeated(&ctx.db, &plan).await;
    };
    let run = runs::queue(ctx, &txn, &generation, &plan).await?;
    match holds::hold(&txn, user.id, run.id, plan.cost()).await? {
        holds::Hold::Held(hold) => run.pay_with(&txn, &hold).await?,
        holds::Hold::Short => return Ok(Submission::Short),
        holds::Hold::InDebt => return Ok(Submission::InDebt),
    }
    conversation.touch(&txn).await?;
    let job = FulfilRun::enqueue(&txn, &Order { run: run.id }).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(&[job]).await;
    Ok(Submission::Accepted { conversation, generation })
}

/// The turns of a conversation, oldest first; the newest `limit` of them.
///
/// # Errors
/// The database does not answer.
pub async fn of_conversation(
    db: &impl ConnectionTrait,
    conversation: &conversations::Model,
    limit: u64,
) -> Result<Vec<Model>> {
    let mut newest = Entity::find()
        .filter(Column::ConversationId.eq(conversation.id))
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    newest.reverse();
    Ok(newest)
}

/// One of the person's own.
///
/// # Errors
/// The database does not answer.
pub async fn own(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::Pid.eq(pid)).one(db).await?)
}

/// # Errors
/// The database does not answer, or there is none.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Model> {
    Entity::find_by_id(id).one(db).await?.ok_or(Error::NotFound)
}

/// The picture that each of these works on: `(generation, asset)`.
///
/// # Errors
/// The database does not answer.
pub async fn sources(db: &impl ConnectionTrait, ids: Vec<i64>) -> Result<Vec<(i64, assets::Model)>> {
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

    async fn repeated(self, db: &impl ConnectionTrait, plan: &Plan) -> Result<Submission> {
        if self.request_hash != plan.hash() {
            return Ok(Submission::TokenReused);
        }
        let id = self.conversation_id.ok_or(Error::NotFound)?;
        let conversation = conversations::by_id(db, id).await?.ok_or(Error::NotFound)?;
        Ok(Submission::Repeated { conversation, generation: self })
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
    if !insert_new(txn, row).await? {
        return Ok(None);
    }
    let generation = by_client_token(txn, user, &plan.client_token).await?.ok_or(Error::NotFound)?;
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
