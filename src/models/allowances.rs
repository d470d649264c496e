//! What a person may spend. A monthly quota, the free trial and prepaid tokens are three kinds of the same thing:
//! granted once per source, held before a run, captured or released after it. Every movement is a ledger entry in the
//! same transaction; the columns here are the sums, guarded by the database.

use chrono::Months;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait,
    EnumIter, ExprTrait, QueryFilter, QueryOrder, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;

use super::{
    _entities::{
        allowances::{ActiveModel, Column, Entity},
        users,
    },
    activities::{self, Actor},
    begin, clock, insert_new,
    ledger_entries::{self, Movement},
    text,
    tokens::{hex, hmac},
};
use crate::context::Nproxy;

pub use super::_entities::allowances::Model;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    Quota,
    Trial,
    Tokens,
}

/// What a grant gives, and why. `source` makes it happen once: `trial:ADDRESS` (as a keyed hash), `invoice:ID`, `admin:ACTIVITY`.
#[derive(Debug)]
pub struct Gift<'a> {
    pub kind: Kind,
    /// Pictures for quota and trial, tokens for tokens.
    pub amount: i64,
    pub starts_at: DateTimeUtc,
    /// Quota ends at this second; trial and tokens never do.
    pub expires_at: Option<DateTimeUtc>,
    pub source: String,
    pub reason: &'a str,
}

/// What became of a grant.
#[derive(Debug, PartialEq, Eq)]
pub enum Grant {
    Granted(Model),
    AlreadyGranted,
}

/// Adds an allowance, once per source however often it is asked for.
///
/// # Errors
/// The database does not answer.
pub async fn grant(txn: &DatabaseTransaction, user: &users::Model, gift: Gift<'_>, actor: &Actor) -> Result<Grant> {
    let row = ActiveModel {
        user_id: Set(user.id),
        kind: Set(text(gift.kind)),
        granted: Set(gift.amount),
        available: Set(gift.amount),
        posted: Set(gift.amount),
        starts_at: Set(gift.starts_at),
        expires_at: Set(gift.expires_at),
        source: Set(gift.source.clone()),
        created_at: Set(clock::now(txn).await?),
        ..Default::default()
    };
    if !insert_new(txn, row).await? {
        return Ok(Grant::AlreadyGranted);
    }
    let allowance = by_source(txn, &gift.source).await?;
    let movement =
        Movement::new(ledger_entries::Kind::Grant, format!("grant:{}", gift.source), gift.amount, gift.amount);
    ledger_entries::append(txn, &allowance, movement.because(gift.reason), actor).await?;
    Ok(Grant::Granted(allowance))
}

/// An operator gives something: the activity that records it is also the grant's source, so that one click is one grant.
/// `None` when there is no such account.
///
/// # Errors
/// The database does not answer.
pub async fn grant_by_hand(
    ctx: &AppContext,
    email: &str,
    kind: Kind,
    amount: i64,
    lasting: Months,
    reason: &str,
    actor: &Actor,
) -> Result<Option<Model>> {
    let txn = begin(&ctx.db).await?;
    let Some(user) = super::users::by_email(&txn, &super::users::normalized(email)).await? else { return Ok(None) };
    let detail = json!({ "kind": text(kind), "amount": amount, "reason": reason });
    let activity = activities::record(&txn, actor, "grant_allowance", ("user", user.id), detail).await?;
    let now = clock::now(&txn).await?;
    let gift = Gift {
        kind,
        amount,
        starts_at: now,
        expires_at: (kind == Kind::Quota).then(|| now + lasting),
        source: format!("admin:{}", activity.id),
        reason,
    };
    let granted = match grant(&txn, &user, gift, actor).await? {
        Grant::Granted(allowance) => Some(allowance),
        Grant::AlreadyGranted => None,
    };
    txn.commit().await?;
    Ok(granted)
}

/// The free pictures that come with an activated account: once per mail address, also when the account was deleted and is
/// opened anew. Of the address only a keyed hash stays, which is good for this question alone.
pub(super) async fn grant_trial(
    ctx: &AppContext,
    txn: &DatabaseTransaction,
    user: &users::Model,
    actor: &Actor,
) -> Result<Grant> {
    let amount = ctx.parts().catalogue().trial.generations;
    if amount == 0 {
        return Ok(Grant::AlreadyGranted);
    }
    let address = user.email.clone().unwrap_or_else(|| user.pid.to_string());
    let fingerprint = hex(&hmac(&ctx.parts().settings().derived_key("trial"), address.as_bytes()));
    let gift = Gift {
        kind: Kind::Trial,
        amount,
        starts_at: clock::now(txn).await?,
        expires_at: None,
        source: format!("trial:{fingerprint}"),
        reason: "free pictures with the account",
    };
    grant(txn, user, gift, actor).await
}

/// Everything that counts for the person at this moment, in the order in which it is spent: soonest-ending first, then
/// quota before trial before tokens.
///
/// # Errors
/// The database does not answer.
pub async fn current(db: &impl ConnectionTrait, user_id: i64) -> Result<Vec<Model>> {
    let now = clock::now(db).await?;
    let mut allowances = Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::StartsAt.lte(now))
        .filter(Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(now)))
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    allowances.sort_by_key(|a| (a.expires_at.is_none(), a.expires_at, a.kind() as u8, a.id));
    Ok(allowances)
}

async fn by_source(db: &impl ConnectionTrait, source: &str) -> Result<Model> {
    let found = Entity::find().filter(Column::Source.eq(source)).one(db).await?;
    found.ok_or(loco_rs::Error::NotFound)
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps allowances.kind to these words")]
    pub fn kind(&self) -> Kind {
        Kind::try_from_value(&self.kind).expect("allowances.kind")
    }

    /// Sets `amount` aside if so much is free; of many at once exactly as many win as there is.
    pub(super) async fn claim(&self, txn: &DatabaseTransaction, amount: i64) -> Result<bool> {
        let won = Entity::update_many()
            .col_expr(Column::Available, Expr::col(Column::Available).sub(amount))
            .filter(Column::Id.eq(self.id))
            .filter(Column::Available.gte(amount))
            .exec(txn)
            .await?;
        Ok(won.rows_affected == 1)
    }

    /// Moves both sums after a hold ends: `captured` leaves for good, `released` is free again.
    pub(super) async fn settle(txn: &DatabaseTransaction, id: i64, captured: i64, released: i64) -> Result<Self> {
        Entity::update_many()
            .col_expr(Column::Available, Expr::col(Column::Available).add(released))
            .col_expr(Column::Posted, Expr::col(Column::Posted).sub(captured))
            .filter(Column::Id.eq(id))
            .exec(txn)
            .await?;
        by_id(txn, id).await
    }
}

pub(super) async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Model> {
    Entity::find_by_id(id).one(db).await?.ok_or(loco_rs::Error::NotFound)
}
