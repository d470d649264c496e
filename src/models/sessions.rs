//! Signed-in browsers: a random token in the cookie, its hash here. A session is worth something only while it is not
//! revoked, not over, of the person's present epoch, and the person is activated.

use chrono::TimeDelta;
use loco_rs::Result;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr,
};

use super::{
    _entities::{
        sessions::{ActiveModel, Column, Entity},
        users,
    },
    clock,
    tokens::PlainToken,
    users::Status,
};

pub use super::_entities::sessions::Model;

pub const LIFETIME: TimeDelta = TimeDelta::days(30);

/// `last_seen_at` follows no closer than this, so that reading pages does not write rows.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(5);

/// Longer ones are cut; enough for "Chrome on Android".
const USER_AGENT_MAX: usize = 300;

/// Starts a session; the token goes into the cookie and nowhere else.
///
/// # Errors
/// The database does not answer.
pub async fn start(db: &impl ConnectionTrait, user: &users::Model, ip: &str, user_agent: &str) -> Result<PlainToken> {
    let now = clock::now(db).await?;
    let token = PlainToken::mint();
    ActiveModel {
        user_id: Set(user.id),
        token_hash: Set(token.hashed().as_str().to_owned()),
        epoch: Set(user.session_epoch),
        ip: Set(ip.to_owned()),
        user_agent: Set(user_agent.chars().take(USER_AGENT_MAX).collect()),
        created_at: Set(now),
        last_seen_at: Set(now),
        expires_at: Set(now + LIFETIME),
        ..Default::default()
    }
    .insert(db)
    .await?;
    Ok(token)
}

/// Whose session this is, if it is worth something now.
///
/// # Errors
/// The database does not answer.
pub async fn resume(db: &impl ConnectionTrait, token: &PlainToken) -> Result<Option<(Model, users::Model)>> {
    let found = Entity::find()
        .find_also_related(users::Entity)
        .filter(Column::TokenHash.eq(token.hashed().as_str()))
        .filter(Column::RevokedAt.is_null())
        .one(db)
        .await?;
    let Some((session, Some(user))) = found else { return Ok(None) };
    let now = clock::now(db).await?;
    if session.expires_at <= now || session.epoch != user.session_epoch || user.status() != Status::Activated {
        return Ok(None);
    }
    if session.last_seen_at < now - SEEN_EVERY {
        Entity::update_many()
            .col_expr(Column::LastSeenAt, Expr::value(now))
            .filter(Column::Id.eq(session.id))
            .exec(db)
            .await?;
    }
    Ok(Some((session, user)))
}

/// Ends one session; its cookie opens nothing from now on.
///
/// # Errors
/// The database does not answer.
pub async fn revoke(db: &impl ConnectionTrait, token: &PlainToken) -> Result<()> {
    let now = clock::now(db).await?;
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(Column::TokenHash.eq(token.hashed().as_str()))
        .filter(Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(())
}

pub(super) async fn revoke_all(db: &impl ConnectionTrait, user_id: i64) -> Result<()> {
    let now = clock::now(db).await?;
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(())
}
