//! An admin sees for a while what somebody sees, and can change nothing there. Who looked at whom, and why, is written down
//! before anything is shown.

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;

use super::{Model, by_id};
use crate::models::{
    _entities::sessions::{self, Column},
    activities::{self, Actor},
    begin, clock,
};

/// A look ends by itself after so long.
pub const LASTS: TimeDelta = TimeDelta::minutes(15);

/// A look under way.
#[derive(Debug, Clone)]
pub struct Viewing {
    pub person: Model,
    pub until: DateTimeUtc,
}

/// The browser of this session sees what the person sees, from now on; `false` for somebody of the house, or who is gone.
///
/// # Errors
/// The database does not answer.
pub async fn view(
    ctx: &AppContext,
    session: &sessions::Model,
    person: &Model,
    reason: &str,
    actor: &Actor,
) -> Result<bool> {
    if person.is_staff() || person.deleted_at.is_some() {
        return Ok(false);
    }
    let txn = begin(&ctx.db).await?;
    let until = clock::now(&txn).await? + LASTS;
    look(&txn, session, Some((person.id, until))).await?;
    let detail = json!({ "until": until, "reason": reason });
    activities::record(&txn, actor, "view_as", ("user", person.id), detail).await?;
    txn.commit().await?;
    Ok(true)
}

/// The look ends; `false` when there is none.
///
/// # Errors
/// The database does not answer.
pub async fn look_away(ctx: &AppContext, session: &sessions::Model, actor: &Actor) -> Result<bool> {
    let Some(person) = session.viewed_id else { return Ok(false) };
    let txn = begin(&ctx.db).await?;
    look(&txn, session, None).await?;
    activities::record(&txn, actor, "end_view_as", ("user", person), json!({})).await?;
    txn.commit().await?;
    Ok(true)
}

/// Whom this session looks at now. Only an admin's does, and never at somebody of the house.
///
/// # Errors
/// The database does not answer.
pub async fn viewing(db: &impl ConnectionTrait, session: &sessions::Model, viewer: &Model) -> Result<Option<Viewing>> {
    let (Some(id), Some(until)) = (session.viewed_id, session.viewed_until) else { return Ok(None) };
    if !viewer.is_admin() || until <= clock::now(db).await? {
        return Ok(None);
    }
    let person = by_id(db, id).await?.filter(|person| !person.is_staff() && person.deleted_at.is_none());
    Ok(person.map(|person| Viewing { person, until }))
}

async fn look(txn: &DatabaseTransaction, session: &sessions::Model, at: Option<(i64, DateTimeUtc)>) -> Result<()> {
    sessions::Entity::update_many()
        .col_expr(Column::ViewedId, Expr::value(at.map(|(id, _)| id)))
        .col_expr(Column::ViewedUntil, Expr::value(at.map(|(_, until)| until)))
        .filter(Column::Id.eq(session.id))
        .exec(txn)
        .await?;
    Ok(())
}
