//! Ways out to the providers. The address holds a user and a password, so it lies sealed.

use std::collections::HashMap;

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect, prelude::DateTimeUtc, sea_query::Expr,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    _entities::proxies::{ActiveModel, Column, Entity},
    activities::{self, Actor},
    begin, clock, insert_new, provider_keys,
};
use crate::{
    adapters::images::{Access, CHECK_DEADLINE, Failure, ProxyUrl},
    context::Nproxy,
};

pub use super::_entities::proxies::Model;

const ACTIVE: &str = "active";
const DISABLED: &str = "disabled";

/// Faults in a row before a proxy rests, as long as a key does. Until then each call of its keys tries it first.
const FAULTS_UNTIL_REST: i64 = 3;

/// What became of adding a proxy.
#[derive(Debug)]
pub enum Addition {
    Added(Model),
    LabelTaken,
}

/// What became of a change.
#[derive(Debug, PartialEq, Eq)]
pub enum Edited {
    Edited,
    /// It is like this already.
    Unchanged,
    LabelTaken,
}

/// Adds a proxy that keys can be given. `http://user:password@host:port`, `socks5://…`.
///
/// # Errors
/// The address is not a proxy's, or the database does not answer.
pub async fn add(ctx: &AppContext, label: &str, url: &SecretString, actor: &Actor) -> Result<Addition> {
    let txn = begin(&ctx.db).await?;
    if by_label(&txn, label).await?.is_some() {
        return Ok(Addition::LabelTaken);
    }
    let proxy = keep(ctx, &txn, label, url, actor).await?;
    txn.commit().await?;
    Ok(Addition::Added(proxy))
}

/// The proxy of this label, written if there is none yet.
///
/// # Errors
/// The address is not a proxy's, or the database does not answer.
pub async fn keep(
    ctx: &AppContext,
    txn: &DatabaseTransaction,
    label: &str,
    url: &SecretString,
    actor: &Actor,
) -> Result<Model> {
    ProxyUrl::parse(url.expose_secret()).map_err(|e| Error::Message(e.to_string()))?;
    let now = clock::now(txn).await?;
    let row = ActiveModel {
        label: Set(label.to_owned()),
        url_enc: Set(String::new()),
        state: Set(ACTIVE.into()),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let is_new = insert_new(txn, row).await?;
    let proxy = Entity::find().filter(Column::Label.eq(label)).one(txn).await?.ok_or(Error::NotFound)?;
    if !is_new {
        return Ok(proxy);
    }
    let sealed = ctx.parts().vault().seal(&place(proxy.id), url)?;
    Entity::update_many()
        .col_expr(Column::UrlEnc, Expr::value(sealed))
        .filter(Column::Id.eq(proxy.id))
        .exec(txn)
        .await?;
    activities::record(txn, actor, "create_proxy", ("proxy", proxy.id), json!({ "label": label })).await?;
    by_id(txn, proxy.id).await?.ok_or(Error::NotFound)
}

/// The proxy of a key, whatever its state.
pub(super) async fn of(db: &impl ConnectionTrait, key: &provider_keys::Model) -> Result<Option<Model>> {
    match key.proxy_id {
        Some(id) => by_id(db, id).await,
        None => Ok(None),
    }
}

/// The way out that a call of this key tries first; `None` = directly, because it has none, or a disabled one, or one that
/// rests.
pub(super) async fn way_out(
    db: &impl ConnectionTrait,
    key: &provider_keys::Model,
    now: DateTimeUtc,
) -> Result<Option<Model>> {
    Ok(of(db, key).await?.filter(|proxy| proxy.is_active() && proxy.rest_until.is_none_or(|until| until <= now)))
}

/// All proxies, by label.
///
/// # Errors
/// The database does not answer.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    Ok(Entity::find().order_by_asc(Column::Label).all(db).await?)
}

/// What these proxies are called.
///
/// # Errors
/// The database does not answer.
pub async fn labels(db: &impl ConnectionTrait, ids: impl Iterator<Item = i64>) -> Result<HashMap<i64, String>> {
    let some = Entity::find().select_only().columns([Column::Id, Column::Label]).filter(Column::Id.is_in(ids));
    Ok(some.into_tuple::<(i64, String)>().all(db).await?.into_iter().collect())
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// # Errors
/// The database does not answer.
pub async fn by_label(db: &impl ConnectionTrait, label: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Label.eq(label)).one(db).await?)
}

/// A proxy by its id or its label.
///
/// # Errors
/// The database does not answer.
pub async fn named(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>> {
    match name.parse() {
        Ok(id) => by_id(db, id).await,
        Err(_) => by_label(db, name).await,
    }
}

/// Calls the vendor through the proxy, with a key that is none: that it is refused shows that the way is open. `None` =
/// the vendor was reached.
///
/// # Errors
/// There is no such vendor, the address does not open, or the database does not answer.
pub async fn check(ctx: &AppContext, proxy: &Model) -> Result<Option<Failure>> {
    let parts = ctx.parts();
    let provider = &parts.catalogue().default_model().provider;
    let vendor = parts.provider(provider).ok_or_else(|| Error::Message(format!("no provider {provider:?}")))?;
    let (nobody, url) = (SecretString::from("nobody"), proxy.url(ctx)?);
    let access = Access { secret: &nobody, proxy: Some(&url) };
    let failure = vendor.check(parts.http(), access, CHECK_DEADLINE).await.err();
    let failure = failure.filter(|failure| failure.is_strike() || matches!(failure, Failure::ProxyFault { .. }));
    let txn = begin(&ctx.db).await?;
    proxy.note(ctx, &txn, failure.as_ref()).await?;
    txn.commit().await?;
    Ok(failure)
}

/// The same for an operator, with the activity that says so.
///
/// # Errors
/// There is no such vendor, the address does not open, or the database does not answer.
pub async fn check_by_hand(ctx: &AppContext, proxy: &Model, actor: &Actor) -> Result<Option<Failure>> {
    let failure = check(ctx, proxy).await?;
    let detail = json!({ "outcome": failure.as_ref().map_or("reached", Failure::class) });
    let txn = begin(&ctx.db).await?;
    activities::record(&txn, actor, "test_proxy", ("proxy", proxy.id), detail).await?;
    txn.commit().await?;
    Ok(failure)
}

/// Another label, and another address if there is one.
///
/// # Errors
/// There is no such proxy, the address is not a proxy's, or the database does not answer.
pub async fn edit(ctx: &AppContext, id: i64, label: &str, url: Option<&SecretString>, actor: &Actor) -> Result<Edited> {
    if let Some(url) = url {
        ProxyUrl::parse(url.expose_secret()).map_err(|e| Error::Message(e.to_string()))?;
    }
    let txn = begin(&ctx.db).await?;
    let proxy = by_id(&txn, id).await?.ok_or(Error::NotFound)?;
    if proxy.label == label && url.is_none() {
        return Ok(Edited::Unchanged);
    }
    if by_label(&txn, label).await?.is_some_and(|other| other.id != id) {
        return Ok(Edited::LabelTaken);
    }
    let mut update = Entity::update_many()
        .col_expr(Column::Label, Expr::value(label))
        .col_expr(Column::UpdatedAt, Expr::value(clock::now(&txn).await?));
    if let Some(url) = url {
        // Nothing is known of the new way yet.
        update = update
            .col_expr(Column::UrlEnc, Expr::value(ctx.parts().vault().seal(&place(id), url)?))
            .col_expr(Column::ConsecutiveFailures, Expr::value(0))
            .col_expr(Column::RestUntil, Expr::value(None::<DateTimeUtc>));
    }
    update.filter(Column::Id.eq(id)).exec(&txn).await?;
    let detail = json!({ "from": proxy.label, "to": label, "address_changed": url.is_some() });
    activities::record(&txn, actor, "edit_proxy", ("proxy", id), detail).await?;
    txn.commit().await?;
    Ok(Edited::Edited)
}

/// Whether a proxy can be reached under what was typed.
#[must_use]
pub fn is_address(url: &SecretString) -> bool {
    ProxyUrl::parse(url.expose_secret()).is_ok()
}

/// Whether what was typed leads into a private network, where our own database and the like are reached.
#[must_use]
pub fn is_private(url: &SecretString) -> bool {
    ProxyUrl::parse(url.expose_secret()).is_ok_and(|url| url.is_private())
}

/// Takes a proxy out of use, or back into it, and says why; its keys go directly without it.
///
/// # Errors
/// The database does not answer.
pub async fn switch(ctx: &AppContext, proxy: &Model, on: bool, reason: &str, actor: &Actor) -> Result<Model> {
    let state = if on { ACTIVE } else { DISABLED };
    let txn = begin(&ctx.db).await?;
    let moved = Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::ConsecutiveFailures, Expr::value(0))
        .col_expr(Column::RestUntil, Expr::value(None::<DateTimeUtc>))
        .col_expr(Column::UpdatedAt, Expr::value(clock::now(&txn).await?))
        .filter(Column::Id.eq(proxy.id))
        .filter(Column::State.ne(state))
        .exec(&txn)
        .await?;
    if moved.rows_affected == 1 {
        let detail = json!({ "from": proxy.state, "to": state, "reason": reason });
        activities::record(&txn, actor, "change_proxy_state", ("proxy", proxy.id), detail).await?;
    }
    txn.commit().await?;
    by_id(&ctx.db, proxy.id).await?.ok_or(Error::NotFound)
}

impl Model {
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == ACTIVE
    }

    /// The address without its password, to be shown.
    #[must_use]
    pub fn masked(&self, ctx: &AppContext) -> String {
        self.url(ctx).map_or_else(|_| "sealed under another secret".into(), |url| url.to_string())
    }

    /// The address with its password, for one call.
    pub(super) fn url(&self, ctx: &AppContext) -> Result<ProxyUrl> {
        let url = ctx.parts().vault().open(&place(self.id), &self.url_enc)?;
        ProxyUrl::parse(url.expose_secret()).map_err(|e| Error::Message(e.to_string()))
    }

    /// How a call through the proxy went. Only a fault of the proxy's own counts against it; whatever else came back, it
    /// carried. After the third fault in a row it rests, and its keys go directly meanwhile.
    pub(super) async fn note(
        &self,
        ctx: &AppContext,
        txn: &DatabaseTransaction,
        failure: Option<&Failure>,
    ) -> Result<()> {
        let Some(fault @ Failure::ProxyFault { .. }) = failure else {
            // Most calls find nothing to mend.
            if self.consecutive_failures == 0 {
                return Ok(());
            }
            Entity::update_many()
                .col_expr(Column::ConsecutiveFailures, Expr::value(0))
                .col_expr(Column::RestUntil, Expr::value(None::<DateTimeUtc>))
                .filter(Column::Id.eq(self.id))
                .exec(txn)
                .await?;
            return Ok(());
        };
        let now = clock::now(txn).await?;
        Entity::update_many()
            .col_expr(Column::ConsecutiveFailures, Expr::col(Column::ConsecutiveFailures).add(1))
            .col_expr(Column::FailedAt, Expr::value(now))
            .col_expr(Column::LastError, Expr::value(fault.to_string()))
            .filter(Column::Id.eq(self.id))
            .exec(txn)
            .await?;
        let rest = TimeDelta::from_std(ctx.parts().settings().pool.cooldown()).map_err(Error::wrap)?;
        let rests = Entity::update_many()
            .col_expr(Column::RestUntil, Expr::value(now + rest))
            .filter(Column::Id.eq(self.id))
            .filter(Column::ConsecutiveFailures.gte(FAULTS_UNTIL_REST))
            .exec(txn)
            .await?;
        if rests.rows_affected == 1 {
            tracing::warn!(proxy.id = self.id, "a proxy rests after faults in a row; its keys go directly");
        }
        Ok(())
    }
}

fn place(id: i64) -> String {
    format!("proxies|url_enc|{id}")
}
