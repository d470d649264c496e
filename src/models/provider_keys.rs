//! The pool of provider keys: added by an operator, leased in turn, rested when they fail.

pub mod activation;
pub mod balance;
pub mod check;
pub mod editing;
pub mod exclusions;
pub mod health;
pub(crate) mod incidents;
mod lease;
pub mod rules;
mod transitions;

use std::collections::HashMap;

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DeriveActiveEnum,
    EntityTrait, EnumIter, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    _entities::provider_keys::{ActiveModel, Column, Entity},
    activities::{self, Actor},
    begin, clock, insert_new, proxies, text,
};
use crate::context::Nproxy;

pub use super::_entities::provider_keys::Model;
pub(in crate::models) use lease::eligible_now;
pub use lease::{LEASE, Lease, Leased, STOOD_STILL, Wish, lease, renew};
pub(crate) use lease::{release_all, take_back_expired};

/// Calls that one key carries at once unless the operator says otherwise.
pub const MAX_CONCURRENCY: i64 = 4;

/// Shown of a secret after it was saved, so that people tell keys apart.
const HINT_CHARS: usize = 4;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    Active,
    Cooldown,
    OutOfFunds,
    ManualReview,
    Disabled,
}

/// A key as an operator hands it in.
#[derive(Debug)]
pub struct NewKey {
    pub provider: String,
    /// Unique within the provider.
    pub label: String,
    pub secret: SecretString,
    /// `None` = directly.
    pub proxy: Option<NewProxy>,
    pub max_concurrency: i64,
}

/// The way out of a new key.
#[derive(Debug)]
pub enum NewProxy {
    /// One that was added before, by its label.
    Known(String),
    /// `http://user:password@host:port`, `socks5://…`: added under the key's own label.
    Url(SecretString),
}

/// What became of adding a key.
#[derive(Debug)]
pub enum Addition {
    Added(Model),
    LabelTaken,
}

/// # Errors
/// An unknown provider or proxy, an address that is no proxy's, or the database does not answer.
pub async fn add(ctx: &AppContext, new: NewKey, actor: &Actor) -> Result<Addition> {
    let parts = ctx.parts();
    if parts.provider(&new.provider).is_none() {
        return Err(Error::Message(format!("provider {:?} is not known; this release has `gemini`", new.provider)));
    }
    let txn = begin(&ctx.db).await?;
    let proxy = match &new.proxy {
        Some(NewProxy::Url(url)) => {
            Some(proxies::keep(ctx, &txn, &format!("{} {}", new.provider, new.label), url, actor).await?)
        }
        Some(NewProxy::Known(label)) => {
            let known = proxies::by_label(&txn, label).await?;
            Some(known.ok_or_else(|| Error::Message(format!("there is no proxy labelled {label:?}")))?)
        }
        None => None,
    };
    let now = clock::now(&txn).await?;
    let row = ActiveModel {
        provider: Set(new.provider.clone()),
        label: Set(new.label.clone()),
        secret_enc: Set(String::new()),
        secret_hint: Set(hint(&new.secret)),
        proxy_id: Set(proxy.map(|p| p.id)),
        state: Set(text(State::Active)),
        epoch: Set(0),
        consecutive_failures: Set(0),
        max_concurrency: Set(new.max_concurrency),
        turn: Set(0),
        successes: Set(0),
        failures: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    if !insert_new(&txn, row).await? {
        return Ok(Addition::LabelTaken);
    }
    let key = Entity::find()
        .filter(Column::Provider.eq(&new.provider))
        .filter(Column::Label.eq(&new.label))
        .one(&txn)
        .await?
        .ok_or(Error::NotFound)?;
    // The row id is part of the seal, so the secret follows the row.
    let sealed = parts.vault().seal(&place(key.id), &new.secret)?;
    Entity::update_many()
        .col_expr(Column::SecretEnc, Expr::value(sealed))
        .filter(Column::Id.eq(key.id))
        .exec(&txn)
        .await?;
    let detail = json!({ "provider": new.provider, "label": new.label });
    activities::record(&txn, actor, "create_provider_key", ("provider_key", key.id), detail).await?;
    let key = by_id(&txn, key.id).await?.ok_or(Error::NotFound)?;
    txn.commit().await?;
    Ok(Addition::Added(key))
}

/// All keys, by provider and label.
///
/// # Errors
/// The database does not answer.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    Ok(Entity::find().order_by_asc(Column::Provider).order_by_asc(Column::Id).all(db).await?)
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// A key by its id or its label.
///
/// # Errors
/// The database does not answer.
pub async fn named(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>> {
    if let Ok(id) = name.parse() {
        return by_id(db, id).await;
    }
    Ok(Entity::find().filter(Column::Label.eq(name)).one(db).await?)
}

/// Some of the keys that go through this proxy.
///
/// # Errors
/// The database does not answer.
pub async fn through(db: &impl ConnectionTrait, proxy_id: i64, count: u64) -> Result<Vec<Model>> {
    let some = Entity::find().filter(Column::ProxyId.eq(proxy_id)).order_by_asc(Column::Id);
    Ok(some.limit(count).all(db).await?)
}

/// What these keys are called.
///
/// # Errors
/// The database does not answer.
pub async fn labels(db: &impl ConnectionTrait, ids: impl Iterator<Item = i64>) -> Result<HashMap<i64, String>> {
    let some = Entity::find().select_only().columns([Column::Id, Column::Label]).filter(Column::Id.is_in(ids));
    Ok(some.into_tuple::<(i64, String)>().all(db).await?.into_iter().collect())
}

/// The row, locked until the transaction ends.
async fn locked(txn: &DatabaseTransaction, id: i64) -> Result<Option<Model>> {
    let mut key = Entity::find_by_id(id);
    if txn.get_database_backend() == DbBackend::Postgres {
        key = key.lock_exclusive();
    }
    Ok(key.one(txn).await?)
}

/// The vendors that there are keys of.
async fn providers(db: &impl ConnectionTrait) -> Result<Vec<String>> {
    Ok(Entity::find().select_only().column(Column::Provider).distinct().into_tuple().all(db).await?)
}

/// The keys in use whose balance is known, the emptiest first.
pub(in crate::models) async fn emptiest(db: &impl ConnectionTrait, limit: usize) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::State.ne(State::Disabled))
        .filter(Column::BalanceMicros.is_not_null())
        .order_by_asc(Column::BalanceMicros)
        .order_by_asc(Column::Id)
        .limit(u64::try_from(limit).unwrap_or(u64::MAX))
        .all(db)
        .await?)
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps provider_keys.state to these words")]
    pub fn state(&self) -> State {
        State::try_from_value(&self.state).expect("provider_keys.state")
    }

    /// The key itself, for one call.
    pub(super) fn secret(&self, ctx: &AppContext) -> Result<SecretString> {
        ctx.parts().vault().open(&place(self.id), &self.secret_enc)
    }
}

fn place(id: i64) -> String {
    format!("provider_keys|secret_enc|{id}")
}

fn hint(secret: &SecretString) -> String {
    let secret = secret.expose_secret();
    // Of a short secret even four characters would be too much.
    if secret.chars().count() < 4 * HINT_CHARS {
        return "…".into();
    }
    let tail: String = secret.chars().rev().take(HINT_CHARS).collect::<Vec<_>>().into_iter().rev().collect();
    format!("…{tail}")
}
