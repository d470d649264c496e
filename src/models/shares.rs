//! Links by which anybody sees one picture: not listed anywhere, until their day, or until they are taken back.

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, Select, prelude::DateTimeUtc, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    _entities::{
        shares::{ActiveModel, Column, Entity},
        users,
    },
    assets, begin, clock, tokens,
    users::Status,
};
use crate::context::Nproxy;

pub use super::_entities::shares::Model;

/// Days that a link may live; the first is offered first.
pub const DAYS: [i64; 3] = [7, 1, 30];

/// Links to one picture that may be open at once.
const OPEN_MAX: u64 = 10;

const PURPOSE: &str = "share-link";

/// What became of the wish for a link.
#[derive(Debug)]
pub enum Sharing {
    Shared(Model),
    /// There are enough.
    TooMany,
    /// The picture was deleted meanwhile.
    Gone,
}

/// Opens a link to one of the person's own pictures, for some of [`DAYS`].
///
/// # Errors
/// The database does not answer.
pub async fn share(ctx: &AppContext, asset: &assets::Model, days: i64, shows_prompt: bool) -> Result<Sharing> {
    let days = if DAYS.contains(&days) { days } else { DAYS[0] };
    let txn = begin(&ctx.db).await?;
    let now = clock::now(&txn).await?;
    if assets::by_id(&txn, asset.id).await?.deleted_at.is_some() {
        return Ok(Sharing::Gone);
    }
    if open(now).filter(Column::AssetId.eq(asset.id)).count(&txn).await? >= OPEN_MAX {
        return Ok(Sharing::TooMany);
    }
    let share = ActiveModel {
        pid: Set(Uuid::now_v7()),
        user_id: Set(asset.user_id),
        asset_id: Set(asset.id),
        shows_prompt: Set(shows_prompt),
        created_at: Set(now),
        expires_at: Set(now + TimeDelta::days(days)),
        ..Default::default()
    }
    .insert(&txn)
    .await?;
    txn.commit().await?;
    Ok(Sharing::Shared(share))
}

/// The open links to a picture, the oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn of_asset(db: &impl ConnectionTrait, asset: &assets::Model) -> Result<Vec<Model>> {
    let now = clock::now(db).await?;
    Ok(open(now).filter(Column::AssetId.eq(asset.id)).order_by_asc(Column::Id).all(db).await?)
}

/// One of the person's own, also one that has ended.
///
/// # Errors
/// The database does not answer.
pub async fn own(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::Pid.eq(pid)).one(db).await?)
}

/// What a link shows; `None` when it was not made here, has ended or was taken back, or when the picture or its person
/// is not there any more: the five look the same.
///
/// # Errors
/// The database does not answer.
pub async fn behind(ctx: &AppContext, token: &str) -> Result<Option<(Model, assets::Model)>> {
    let Some(pid) = tokens::unseal(&ctx.parts().settings().derived_keys(PURPOSE), token) else { return Ok(None) };
    let now = clock::now(&ctx.db).await?;
    let Some(share) = open(now).filter(Column::Pid.eq(pid)).one(&ctx.db).await? else { return Ok(None) };
    let asset = assets::by_id(&ctx.db, share.asset_id).await?;
    let owner = super::users::by_id(&ctx.db, share.user_id).await?;
    let is_there = asset.deleted_at.is_none() && owner.is_some_and(|owner| owner.status() == Status::Activated);
    Ok(is_there.then_some((share, asset)))
}

impl Model {
    /// Where everybody who has it sees the picture.
    ///
    /// # Errors
    /// The application's own address is none.
    pub fn link(&self, ctx: &AppContext) -> Result<String> {
        let path = format!("/shared/{}", tokens::seal(&key(ctx), self.pid));
        ctx.parts().settings().app_url.join(&path).map(Into::into).map_err(Error::wrap)
    }

    /// From now on the link shows nothing. Done twice it is the same.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn revoke(&self, db: &impl ConnectionTrait) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(clock::now(db).await?))
            .filter(Column::Id.eq(self.id))
            .filter(Column::RevokedAt.is_null())
            .exec(db)
            .await?;
        Ok(())
    }
}

fn open(now: DateTimeUtc) -> Select<Entity> {
    Entity::find().filter(Column::RevokedAt.is_null()).filter(Column::ExpiresAt.gt(now))
}

fn key(ctx: &AppContext) -> [u8; 32] {
    ctx.parts().settings().derived_key(PURPOSE)
}
