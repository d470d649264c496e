//! Who came in, when and from where, and who was turned away: written at each registration and each try to sign in, with
//! or without an account behind the address that was typed.

use chrono::TimeDelta;
use loco_rs::Result;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DeriveActiveEnum, EntityTrait, EnumIter,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::{
    _entities::{
        auth_events::{ActiveModel, Column, Entity},
        users,
    },
    clock,
    sessions::Client,
    text,
};

pub use super::_entities::auth_events::Model;

/// Addresses and browsers of people are not kept for longer.
const KEPT: TimeDelta = TimeDelta::days(180);

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Action {
    Signup,
    Login,
}

/// Why nobody came in.
#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Failure {
    WrongPassword,
    Unverified,
    Blocked,
    /// The address of a registration has an account already.
    Taken,
}

/// # Errors
/// The database does not answer.
pub(super) async fn record(
    db: &impl ConnectionTrait,
    user_id: Option<i64>,
    action: Action,
    failure: Option<Failure>,
    client: &Client,
) -> Result<()> {
    ActiveModel {
        user_id: Set(user_id),
        action: Set(text(action)),
        failure: Set(failure.map(text)),
        ip: Set(client.ip.to_string()),
        user_agent: Set(client.browser()),
        created_at: Set(clock::now(db).await?),
        ..Default::default()
    }
    .insert(db)
    .await?;
    Ok(())
}

/// Was this person at home at this address before? The same work for nobody.
///
/// # Errors
/// The database does not answer.
pub(super) async fn knows(db: &impl ConnectionTrait, user: Option<&users::Model>, client: &Client) -> Result<bool> {
    let found: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::UserId.eq(user.map_or(0, |user| user.id)))
        .filter(Column::Action.eq(Action::Login))
        .filter(Column::Failure.is_null())
        .filter(Column::Ip.eq(client.ip.to_string()))
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    Ok(found.is_some())
}

/// The person's own sign-ins, the newest first.
///
/// # Errors
/// The database does not answer.
pub async fn sign_ins(db: &impl ConnectionTrait, user: &users::Model, limit: u64) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Action.eq(Action::Login))
        .filter(Column::Failure.is_null())
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await?)
}

/// With the account goes where its person was.
pub(super) async fn forget(db: &impl ConnectionTrait, user_id: i64) -> Result<()> {
    Entity::delete_many().filter(Column::UserId.eq(user_id)).exec(db).await?;
    Ok(())
}

pub(super) async fn sweep(db: &impl ConnectionTrait) -> Result<u64> {
    let before = clock::now(db).await? - KEPT;
    Ok(Entity::delete_many().filter(Column::CreatedAt.lt(before)).exec(db).await?.rows_affected)
}
