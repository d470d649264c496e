//! Mailed links: 24 hours, once, and only the newest of its purpose.

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum,
    EntityTrait, EnumIter, PaginatorTrait, QueryFilter, UpdateMany, prelude::DateTimeUtc, sea_query::Expr,
};

use super::Model;
use crate::models::{
    _entities::links::{self, ActiveModel, Column, Entity},
    clock,
    sessions::Client,
    text,
    throttles::{self, Refused},
    tokens::PlainToken,
};

const LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Links of one purpose that one account is sent within an hour; further requests are answered alike and send nothing.
const PER_HOUR: u64 = 5;

/// Rows of links that are over are kept for so long: until then the page of the link can say what became of it.
const KEPT: TimeDelta = TimeDelta::days(30);

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, serde::Serialize, serde::Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Activation,
    Reset,
    EmailChange,
}

/// What a link is worth at the moment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    Open,
    Expired,
    Used,
    Superseded,
    Unknown,
}

/// What a token is worth that is about to be mailed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Mailing {
    /// It opens a link that was not there before.
    Fresh,
    /// It opens the link of a try before this one, whose mail may have arrived.
    Again,
    /// There is nothing to send: the person had enough of them this hour, or that link did its work or was replaced.
    Nothing,
}

impl Model {
    /// A fresh link that goes to `email`, for whoever hands it over by themselves; older ones of the purpose stop working.
    pub(super) async fn mint_link(
        &self,
        txn: &DatabaseTransaction,
        purpose: Purpose,
        email: &str,
    ) -> Result<PlainToken> {
        let token = PlainToken::mint();
        self.write_link(txn, purpose, email, &token).await?;
        Ok(token)
    }

    /// Makes `token` a link that is mailed to `email`; older ones of the purpose stop working. A token that is a link
    /// already is being sent once more, and the link has all its time before it again.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn mail_link(
        &self,
        txn: &DatabaseTransaction,
        purpose: Purpose,
        email: &str,
        token: &PlainToken,
    ) -> Result<Mailing> {
        if find(txn, purpose, token).await?.is_some() {
            return Ok(if renew(txn, token).await? { Mailing::Again } else { Mailing::Nothing });
        }
        let recent = Entity::find()
            .filter(Column::UserId.eq(self.id))
            .filter(Column::Purpose.eq(purpose))
            .filter(Column::CreatedAt.gt(clock::now(txn).await? - TimeDelta::hours(1)))
            .count(txn)
            .await?;
        if recent >= PER_HOUR {
            return Ok(Mailing::Nothing);
        }
        self.write_link(txn, purpose, email, token).await?;
        Ok(Mailing::Fresh)
    }

    async fn write_link(
        &self,
        txn: &DatabaseTransaction,
        purpose: Purpose,
        email: &str,
        token: &PlainToken,
    ) -> Result<()> {
        supersede(txn, self.id, purpose).await?;
        let now = clock::now(txn).await?;
        ActiveModel {
            user_id: Set(self.id),
            purpose: Set(text(purpose)),
            token_hash: Set(token.hashed().as_str().to_owned()),
            email: Set(Some(email.to_owned())),
            expires_at: Set(now + LIFETIME),
            created_at: Set(now),
            ..Default::default()
        }
        .insert(txn)
        .await?;
        Ok(())
    }
}

/// `false` for a link that was used, or replaced.
async fn renew(txn: &DatabaseTransaction, token: &PlainToken) -> Result<bool> {
    let renewed = Entity::update_many()
        .col_expr(Column::ExpiresAt, Expr::value(clock::now(txn).await? + LIFETIME))
        .filter(Column::TokenHash.eq(token.hashed().as_str()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::SupersededAt.is_null())
        .exec(txn)
        .await?;
    Ok(renewed.rows_affected == 1)
}

/// Takes back a link whose mail was refused: nobody has it, and it must not count against the person.
///
/// # Errors
/// The database does not answer.
pub async fn forget(db: &impl ConnectionTrait, token: &PlainToken) -> Result<()> {
    Entity::delete_many().filter(Column::TokenHash.eq(token.hashed().as_str())).exec(db).await?;
    Ok(())
}

/// What the page of a link shows before the button is pressed; uses nothing up. Links that never were count for whoever
/// tries them.
///
/// # Errors
/// The database does not answer.
pub async fn look(
    ctx: &AppContext,
    client: &Client,
    purpose: Purpose,
    token: &PlainToken,
) -> Result<std::result::Result<LinkState, Refused>> {
    let taken = match throttles::take(&ctx.db, throttles::link(client)).await? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Err(refused)),
    };
    let state = state_of(&ctx.db, purpose, token).await?;
    if state != LinkState::Unknown {
        taken.give_back(&ctx.db).await?;
    }
    Ok(Ok(state))
}

pub(super) async fn state_of(db: &impl ConnectionTrait, purpose: Purpose, token: &PlainToken) -> Result<LinkState> {
    let link = find(db, purpose, token).await?;
    state(db, link.as_ref()).await
}

/// Links of one purpose stop working.
pub(super) async fn supersede(txn: &DatabaseTransaction, user_id: i64, purpose: Purpose) -> Result<()> {
    superseding(user_id, clock::now(txn).await?).filter(Column::Purpose.eq(purpose)).exec(txn).await?;
    Ok(())
}

/// Links of every purpose stop working.
pub(super) async fn supersede_all(txn: &DatabaseTransaction, user_id: i64) -> Result<()> {
    superseding(user_id, clock::now(txn).await?).exec(txn).await?;
    Ok(())
}

fn superseding(user_id: i64, now: DateTimeUtc) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::SupersededAt, Expr::value(now))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::UsedAt.is_null())
        .filter(Column::SupersededAt.is_null())
}

/// With the account go its links, and the addresses that stand in them.
pub(super) async fn forget_all(db: &impl ConnectionTrait, user_id: i64) -> Result<()> {
    Entity::delete_many().filter(Column::UserId.eq(user_id)).exec(db).await?;
    Ok(())
}

pub(super) async fn sweep(db: &impl ConnectionTrait) -> Result<u64> {
    let before = clock::now(db).await? - KEPT;
    Ok(Entity::delete_many().filter(Column::ExpiresAt.lt(before)).exec(db).await?.rows_affected)
}

/// Uses the link up and says whose it was; of two clicks exactly one wins.
pub(super) async fn redeem(
    txn: &DatabaseTransaction,
    purpose: Purpose,
    token: &PlainToken,
) -> Result<std::result::Result<links::Model, LinkState>> {
    let link = find(txn, purpose, token).await?;
    let Some(link) = link else { return Ok(Err(LinkState::Unknown)) };
    let now = clock::now(txn).await?;
    let won = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::Id.eq(link.id))
        .filter(Column::UsedAt.is_null())
        .filter(Column::SupersededAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec(txn)
        .await?
        .rows_affected
        == 1;
    if won { Ok(Ok(link)) } else { Ok(Err(state(txn, find(txn, purpose, token).await?.as_ref()).await?)) }
}

async fn find(db: &impl ConnectionTrait, purpose: Purpose, token: &PlainToken) -> Result<Option<links::Model>> {
    Ok(Entity::find()
        .filter(Column::TokenHash.eq(token.hashed().as_str()))
        .filter(Column::Purpose.eq(purpose))
        .one(db)
        .await?)
}

async fn state(db: &impl ConnectionTrait, link: Option<&links::Model>) -> Result<LinkState> {
    let Some(link) = link else { return Ok(LinkState::Unknown) };
    Ok(if link.used_at.is_some() {
        LinkState::Used
    } else if link.superseded_at.is_some() {
        LinkState::Superseded
    } else if link.expires_at <= clock::now(db).await? {
        LinkState::Expired
    } else {
        LinkState::Open
    })
}
