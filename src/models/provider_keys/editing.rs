//! What an operator changes of a key that is there: its name, its way out, how much it carries, and its secret.

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use secrecy::SecretString;
use serde_json::json;

use super::{Column, Entity, Model, hint, place};
use crate::{
    context::Nproxy,
    models::{
        activities::{self, Actor},
        begin, clock,
    },
};

/// A key as it is to be.
#[derive(Debug)]
pub struct Edit {
    pub label: String,
    /// `None` = directly.
    pub proxy_id: Option<i64>,
    pub max_concurrency: i64,
}

/// What became of a change.
#[derive(Debug)]
pub enum Edited {
    Edited(Model),
    /// It is like this already.
    Unchanged,
    LabelTaken,
}

/// # Errors
/// There is no such key or proxy, or the database does not answer.
pub async fn edit(ctx: &AppContext, id: i64, edit: Edit, actor: &Actor) -> Result<Edited> {
    let txn = begin(&ctx.db).await?;
    let key = super::locked(&txn, id).await?.ok_or(Error::NotFound)?;
    let before = (key.label.as_str(), key.proxy_id, key.max_concurrency);
    if before == (edit.label.as_str(), edit.proxy_id, edit.max_concurrency) {
        return Ok(Edited::Unchanged);
    }
    let taken = Entity::find()
        .filter(Column::Provider.eq(&key.provider))
        .filter(Column::Label.eq(&edit.label))
        .filter(Column::Id.ne(id));
    if taken.count(&txn).await? > 0 {
        return Ok(Edited::LabelTaken);
    }
    Entity::update_many()
        .col_expr(Column::Label, Expr::value(edit.label.as_str()))
        .col_expr(Column::ProxyId, Expr::value(edit.proxy_id))
        .col_expr(Column::MaxConcurrency, Expr::value(edit.max_concurrency))
        .col_expr(Column::UpdatedAt, Expr::value(clock::now(&txn).await?))
        .filter(Column::Id.eq(id))
        .exec(&txn)
        .await?;
    let detail = json!({
        "from": { "label": key.label, "proxy": key.proxy_id, "max_concurrency": key.max_concurrency },
        "to": { "label": edit.label, "proxy": edit.proxy_id, "max_concurrency": edit.max_concurrency },
    });
    activities::record(&txn, actor, "edit_provider_key", ("provider_key", id), detail).await?;
    let key = super::by_id(&txn, id).await?.ok_or(Error::NotFound)?;
    txn.commit().await?;
    Ok(Edited::Edited(key))
}

/// The next call uses the new secret. The key stays in the state that it is in.
///
/// # Errors
/// There is no such key, or the database does not answer.
pub async fn rotate(ctx: &AppContext, id: i64, secret: &SecretString, reason: &str, actor: &Actor) -> Result<Model> {
    let sealed = ctx.parts().vault().seal(&place(id), secret)?;
    let txn = begin(&ctx.db).await?;
    let key = super::locked(&txn, id).await?.ok_or(Error::NotFound)?;
    Entity::update_many()
        .col_expr(Column::SecretEnc, Expr::value(sealed))
        .col_expr(Column::SecretHint, Expr::value(hint(secret)))
        .col_expr(Column::UpdatedAt, Expr::value(clock::now(&txn).await?))
        .filter(Column::Id.eq(id))
        .exec(&txn)
        .await?;
    let detail = json!({ "label": key.label, "reason": reason });
    activities::record(&txn, actor, "rotate_provider_key", ("provider_key", id), detail).await?;
    let key = super::by_id(&txn, id).await?.ok_or(Error::NotFound)?;
    txn.commit().await?;
    Ok(key)
}
