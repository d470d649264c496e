//! Whom the bot obeys: who was confirmed at the server's console, until somebody is let go.

use loco_rs::Result;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::json;

use super::{
    _entities::telegram_admins::{ActiveModel, Column, Entity},
    activities::{self, Actor},
    begin, clock, insert_new,
};
use crate::adapters::telegram::Sender;

pub use super::_entities::telegram_admins::Model;

/// Those who are obeyed now, the longest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::RevokedAt.is_null()).order_by_asc(Column::Id).all(db).await?)
}

/// The admin of this id at Telegram, if there is one now.
///
/// # Errors
/// The database does not answer.
pub async fn paired(db: &impl ConnectionTrait, telegram_id: i64) -> Result<Option<Model>> {
    let of_id = Entity::find().filter(Column::TelegramId.eq(telegram_id)).filter(Column::RevokedAt.is_null());
    Ok(of_id.one(db).await?)
}

/// As [`paired`], and stays so until the transaction ends: whoever lets the admin go waits for it.
pub(super) async fn obeyed(txn: &DatabaseTransaction, telegram_id: i64) -> Result<bool> {
    let mut of_id = Entity::find().filter(Column::TelegramId.eq(telegram_id)).filter(Column::RevokedAt.is_null());
    if txn.get_database_backend() == DbBackend::Postgres {
        of_id = of_id.lock_exclusive();
    }
    Ok(of_id.one(txn).await?.is_some())
}

/// Obeys somebody from now on, in the transaction that spends the code.
pub(super) async fn add(txn: &DatabaseTransaction, who: &Sender, actor: &Actor) -> Result<Model> {
    let row = ActiveModel {
        telegram_id: Set(who.id),
        name: Set(who.name.clone()),
        username: Set(who.username.clone()),
        paired_at: Set(clock::now(txn).await?),
        ..Default::default()
    };
    let is_new = insert_new(txn, row).await?;
    let admin = paired(txn, who.id).await?.ok_or(loco_rs::Error::NotFound)?;
    if is_new {
        let detail = json!({ "telegram_id": who.id, "name": who.name, "username": who.username });
        activities::record(txn, actor, "pair_telegram_admin", ("telegram_admin", admin.id), detail).await?;
    }
    Ok(admin)
}

/// Lets an admin go: the next message is a stranger's. `None` when there is no such admin.
///
/// # Errors
/// The database does not answer.
pub async fn revoke(ctx: &loco_rs::app::AppContext, telegram_id: i64, actor: &Actor) -> Result<Option<Model>> {
    let txn = begin(&ctx.db).await?;
    let Some(admin) = paired(&txn, telegram_id).await? else { return Ok(None) };
    let gone = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(clock::now(&txn).await?))
        .filter(Column::Id.eq(admin.id))
        .filter(Column::RevokedAt.is_null())
        .exec(&txn)
        .await?;
    if gone.rows_affected == 0 {
        return Ok(None);
    }
    let detail = json!({ "telegram_id": telegram_id, "name": admin.name, "username": admin.username });
    activities::record(&txn, actor, "revoke_telegram_admin", ("telegram_admin", admin.id), detail).await?;
    txn.commit().await?;
    Ok(Some(admin))
}

impl Model {
    /// Who acts when this admin does.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Bot(self.telegram_id)
    }

    /// `@ann (id 42)`, or the name that they gave themselves.
    #[must_use]
    pub fn who(&self) -> String {
        who(self.telegram_id, &self.name, self.username.as_deref())
    }
}

/// How somebody at Telegram is named to people.
pub(super) fn who(id: i64, name: &str, username: Option<&str>) -> String {
    match username {
        Some(username) => format!("@{username} (id {id})"),
        None => format!("{name:?} (id {id})"),
    }
}
