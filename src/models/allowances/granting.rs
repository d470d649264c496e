//! Something is given, once per source.

use chrono::Months;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, prelude::DateTimeUtc};
use serde_json::json;

use super::{Kind, Model, by_id, by_source, one_at_a_time};
use crate::{
    context::Nproxy,
    models::{
        _entities::allowances::ActiveModel,
        activities::{self, Actor},
        begin, clock, debts, insert_new,
        ledger_entries::{self, Movement},
        subscriptions, text,
        tokens::{hex, hmac},
        users,
    },
};

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

/// Adds an allowance, once per source however often it is asked for. What the person owes is paid from it first.
///
/// # Errors
/// The database does not answer.
pub async fn grant(txn: &DatabaseTransaction, user: &users::Model, gift: Gift<'_>, actor: &Actor) -> Result<Grant> {
    one_at_a_time(txn, user.id).await?;
    let now = clock::now(txn).await?;
    let row = ActiveModel {
        user_id: Set(user.id),
        kind: Set(text(gift.kind)),
        granted: Set(gift.amount),
        available: Set(gift.amount),
        posted: Set(gift.amount),
        starts_at: Set(gift.starts_at),
        expires_at: Set(gift.expires_at),
        source: Set(gift.source.clone()),
        created_at: Set(now),
        ..Default::default()
    };
    if !insert_new(txn, row).await? {
        return Ok(Grant::AlreadyGranted);
    }
    let allowance = by_source(txn, &gift.source).await?.ok_or(Error::NotFound)?;
    let movement =
        Movement::new(ledger_entries::Kind::Grant, format!("grant:{}", gift.source), gift.amount, gift.amount);
    ledger_entries::append(txn, &allowance, movement.because(gift.reason), actor).await?;
    if debts::collect(txn, user.id, now, actor).await? {
        return Ok(Grant::Granted(by_id(txn, allowance.id).await?.ok_or(Error::NotFound)?));
    }
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
    let Some(user) = users::by_email(&txn, &users::normalized(email)).await? else { return Ok(None) };
    one_at_a_time(&txn, user.id).await?;
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
    if kind == Kind::Quota {
        let before = subscriptions::cycles(&txn, user.id, now).await?;
        subscriptions::activate(&txn, user.id, &ctx.parts().catalogue().plan().code, &before, now).await?;
    }
    let granted = match grant(&txn, &user, gift, actor).await? {
        Grant::Granted(allowance) => Some(allowance),
        Grant::AlreadyGranted => None,
    };
    txn.commit().await?;
    Ok(granted)
}

/// The free pictures that come with an activated account: once per mail address, also when the account was deleted and is
/// opened anew. Of the address only a keyed hash stays, which is good for this question alone.
pub(in crate::models) async fn grant_trial(
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
