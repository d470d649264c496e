//! Ways out to the providers. The address holds a user and a password, so it lies sealed.

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, TryInsertResult,
    sea_query::Expr,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    _entities::proxies::{ActiveModel, Column, Entity},
    activities::{self, Actor},
    clock,
};
use crate::{adapters::images::ProxyUrl, context::Nproxy};

pub use super::_entities::proxies::Model;

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
        state: Set("active".into()),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let inserted = Entity::insert(row).on_conflict_do_nothing_on([Column::Label]).exec(txn).await?;
    let proxy = Entity::find().filter(Column::Label.eq(label)).one(txn).await?.ok_or(Error::NotFound)?;
    if !matches!(inserted, TryInsertResult::Inserted(_)) {
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

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

impl Model {
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }

    /// The address with its password, for one call.
    pub(super) fn url(&self, ctx: &AppContext) -> Result<ProxyUrl> {
        let url = ctx.parts().vault().open(&place(self.id), &self.url_enc)?;
        ProxyUrl::parse(url.expose_secret()).map_err(|e| Error::Message(e.to_string()))
    }
}

fn place(id: i64) -> String {
    format!("proxies|url_enc|{id}")
}
