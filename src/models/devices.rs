//! Browsers in which somebody wants to hear of what is finished: one per session, by the consent that was given there. What
//! a session asked for ends with it.

mod telling;

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, sea_query,
    sea_query::{Expr, SimpleExpr},
};
use serde::Deserialize;

use super::{
    _entities::{
        devices::{ActiveModel, Column, Entity},
        sessions, users,
    },
    begin, clock, insert_new,
    users::Status,
};
use crate::{adapters::push::Target, context::Nproxy};

pub use super::_entities::devices::Model;
pub use telling::{deliver, tell};
pub(super) use telling::{somebody_listens, soon};

/// What the browser says when its person agrees: where its push service takes messages, and what it reads them with.
#[derive(Deserialize)]
pub struct Consent {
    #[serde(default)]
    pub endpoint: String,
    #[serde(default)]
    pub p256dh: String,
    #[serde(default)]
    pub auth: String,
}

/// What became of a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    Kept,
    /// Nothing that a browser says, or an address that we do not go to.
    Unusable,
    /// That address is another person's.
    Taken,
}

/// From now on the browser of this session is told. A later consent of the same session takes the place of the former.
///
/// # Errors
/// The database does not answer.
pub async fn agree(
    ctx: &AppContext,
    user: &users::Model,
    here: &sessions::Model,
    consent: &Consent,
) -> Result<Agreement> {
    let Consent { endpoint, p256dh, auth } = consent;
    if Target::read(&ctx.parts().settings().push, endpoint, p256dh, auth).is_none() {
        return Ok(Agreement::Unusable);
    }
    let txn = begin(&ctx.db).await?;
    let own = Column::SessionId.eq(here.id).or(Column::Endpoint.eq(endpoint).and(Column::UserId.eq(user.id)));
    Entity::delete_many().filter(own).exec(&txn).await?;
    let device = ActiveModel {
        user_id: Set(user.id),
        session_id: Set(here.id),
        endpoint: Set(endpoint.clone()),
        p256dh: Set(p256dh.clone()),
        auth: Set(auth.clone()),
        created_at: Set(clock::now(&txn).await?),
        ..Default::default()
    };
    if !insert_new(&txn, device).await? {
        return Ok(Agreement::Taken);
    }
    txn.commit().await?;
    Ok(Agreement::Kept)
}

/// Is the browser of this session told?
///
/// # Errors
/// The database does not answer.
pub async fn is_told(db: &impl ConnectionTrait, here: &sessions::Model) -> Result<bool> {
    Ok(Entity::find().filter(Column::SessionId.eq(here.id)).count(db).await? > 0)
}

/// The browser of this session is told nothing more.
///
/// # Errors
/// The database does not answer.
pub async fn end(db: &impl ConnectionTrait, here: &sessions::Model) -> Result<()> {
    Entity::delete_many().filter(Column::SessionId.eq(here.id)).exec(db).await?;
    Ok(())
}

/// With the sessions that have ended goes what they asked for.
pub(super) async fn forget(db: &impl ConnectionTrait, ended: SimpleExpr) -> Result<()> {
    let sessions = sea_query::Query::select()
        .column(sessions::Column::Id)
        .from(sessions::Entity)
        .and_where(ended)
        .and_where(Expr::col((sessions::Entity, sessions::Column::RevokedAt)).is_not_null())
        .to_owned();
    Entity::delete_many().filter(Column::SessionId.in_subquery(sessions)).exec(db).await?;
    Ok(())
}

/// Those of a person whose sessions are worth something now.
async fn listening(db: &impl ConnectionTrait, user_id: i64) -> Result<Vec<Model>> {
    let Some(user) = super::users::by_id(db, user_id).await? else { return Ok(Vec::new()) };
    if user.status() != Status::Activated {
        return Ok(Vec::new());
    }
    let open: Vec<i64> = super::sessions::of(db, &user).await?.iter().map(|session| session.id).collect();
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::SessionId.is_in(open)).all(db).await?)
}

impl Model {
    fn target(&self, ctx: &AppContext) -> Option<Target> {
        Target::read(&ctx.parts().settings().push, &self.endpoint, &self.p256dh, &self.auth)
    }
}
