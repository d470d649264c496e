//! Runs as others ask for them: by whose they are, by what they belong to, by name.

use loco_rs::Result;
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, RelationTrait, Select, prelude::DateTimeUtc,
};
use uuid::Uuid;

use super::{Column, Entity, Model, Relation, State, is_live};
use crate::models::_entities::{conversations, generations, materials, outputs, users};

/// How many runs of this person somebody still works on.
///
/// # Errors
/// The database does not answer.
pub async fn live_of(db: &impl ConnectionTrait, user_id: i64) -> Result<u64> {
    Ok(live(user_id).count(db).await?)
}

pub(in crate::models) fn live(user_id: i64) -> Select<Entity> {
    Entity::find()
        .join(JoinType::InnerJoin, Relation::Generations.def())
        .filter(generations::Column::UserId.eq(user_id))
        .filter(is_live())
}

/// One of the person's own, with what was asked for and where; a stranger's is simply not found.
///
/// # Errors
/// The database does not answer.
pub async fn own(
    db: &impl ConnectionTrait,
    user: &users::Model,
    pid: Uuid,
) -> Result<Option<(Model, generations::Model, conversations::Model)>> {
    let found = Entity::find()
        .find_also_related(generations::Entity)
        .find_also(generations::Entity, conversations::Entity)
        .filter(Column::Pid.eq(pid))
        .filter(generations::Column::UserId.eq(user.id))
        .filter(conversations::Column::DeletedAt.is_null())
        .one(db)
        .await?;
    Ok(found.and_then(|(run, generation, conversation)| Some((run, generation?, conversation?))))
}

/// All runs of these generations; of each, the newest last.
///
/// # Errors
/// The database does not answer.
pub async fn of_generations(db: &impl ConnectionTrait, generation_ids: Vec<i64>) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::GenerationId.is_in(generation_ids))
        .order_by_asc(Column::GenerationId)
        .order_by_asc(Column::Number)
        .all(db)
        .await?)
}

/// The same with their places: of each run, in order.
///
/// # Errors
/// The database does not answer.
pub async fn with_places(
    db: &impl ConnectionTrait,
    generation_ids: Vec<i64>,
) -> Result<(Vec<Model>, Vec<outputs::Model>)> {
    let found = Entity::find()
        .find_with_related(outputs::Entity)
        .filter(Column::GenerationId.is_in(generation_ids))
        .order_by_asc(Column::GenerationId)
        .order_by_asc(Column::Number)
        .order_by_asc(outputs::Column::Position)
        .all(db)
        .await?;
    let (runs, places): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    Ok((runs, places.into_iter().flatten().collect()))
}

/// What somebody still works on in a conversation.
pub(in crate::models) async fn live_in(db: &impl ConnectionTrait, conversation_id: i64) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .join(JoinType::InnerJoin, Relation::Generations.def())
        .filter(generations::Column::ConversationId.eq(conversation_id))
        .filter(is_live())
        .all(db)
        .await?)
}

/// Does a run that somebody works on start from this picture?
pub(in crate::models) async fn need(db: &impl ConnectionTrait, asset_id: i64) -> Result<bool> {
    let needing = Entity::find()
        .join(JoinType::InnerJoin, Relation::Generations.def())
        .join(JoinType::InnerJoin, generations::Relation::Materials.def())
        .filter(materials::Column::AssetId.eq(asset_id))
        .filter(is_live())
        .count(db)
        .await?;
    Ok(needing > 0)
}

/// The latest of this person, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn latest_of(db: &impl ConnectionTrait, user_id: i64, count: u64) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .join(JoinType::InnerJoin, Relation::Generations.def())
        .filter(generations::Column::UserId.eq(user_id))
        .order_by_desc(Column::Id)
        .limit(count)
        .all(db)
        .await?)
}

/// A run by its id or its public one, whoever's it is: for operators.
///
/// # Errors
/// The database does not answer.
pub async fn named(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>> {
    match (name.parse::<i64>(), name.parse::<Uuid>()) {
        (Ok(id), _) => by_id(db, id).await,
        (_, Ok(pid)) => Ok(Entity::find().filter(Column::Pid.eq(pid)).one(db).await?),
        (Err(_), Err(_)) => Ok(None),
    }
}

/// How many runs have ended in each state since then.
///
/// # Errors
/// The database does not answer.
pub async fn ended_since(db: &impl ConnectionTrait, since: DateTimeUtc) -> Result<Vec<(State, i64)>> {
    let counts: Vec<(String, i64)> = Entity::find()
        .filter(Column::FinishedAt.gt(since))
        .select_only()
        .column(Column::State)
        .column_as(Column::Id.count(), "runs")
        .group_by(Column::State)
        .into_tuple()
        .all(db)
        .await?;
    Ok(counts.into_iter().filter_map(|(state, runs)| Some((State::try_from_value(&state).ok()?, runs))).collect())
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}
