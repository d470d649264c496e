//! What lies sealed, column by column, and how all of it comes under a new key: a batch at a time, each in a transaction
//! with its activity, so that it can stop anywhere and go on later. Meanwhile both keys open.

use loco_rs::{Result, app::AppContext};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;

use super::Vault;
use crate::{
    context::Nproxy,
    models::{
        activities::{self, Actor},
        begin,
    },
};

/// Every column that holds sealed texts: `(table, column)`. The place of each is `table|column|id`. A new one is a line
/// here; a test compares the list with the schema.
pub const SEALED: &[(&str, &str)] = &[
    ("provider_keys", "secret_enc"),
    ("proxies", "url_enc"),
    ("push_keys", "private_enc"),
    ("second_factors", "secret_enc"),
];

/// Rows that one transaction seals anew.
const AT_ONCE: usize = 100;

/// A sealed text in its row.
#[derive(Debug)]
pub(in crate::models) struct Sealed {
    table: &'static str,
    column: &'static str,
    id: i64,
    pub text: String,
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Sealed under the new key now.
    pub sealed: usize,
    /// Under the new key already.
    pub were_new: usize,
    /// `table id` of those that no key opens.
    pub closed: Vec<String>,
}

impl Sealed {
    pub(in crate::models) fn place(&self) -> String {
        format!("{}|{}|{}", self.table, self.column, self.id)
    }

    /// `provider_keys 3`
    pub(in crate::models) fn name(&self) -> String {
        format!("{} {}", self.table, self.id)
    }

    /// In place of what was read; whoever changed the row in between has sealed it under the new key.
    async fn replace(&self, txn: &DatabaseTransaction, sealed: String) -> Result<bool> {
        let (table, column) = (self.table, self.column);
        let sql = match txn.get_database_backend() {
            DbBackend::Postgres => format!("UPDATE {table} SET {column} = $1 WHERE id = $2 AND {column} = $3"),
            _ => format!("UPDATE {table} SET {column} = ? WHERE id = ? AND {column} = ?"),
        };
        let values = [sealed.into(), self.id.into(), self.text.clone().into()];
        let done = txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await?;
        Ok(done.rows_affected() == 1)
    }
}

/// One page of a column, in the order of its rows.
async fn page(
    db: &impl ConnectionTrait,
    (table, column): (&'static str, &'static str),
    after: i64,
) -> Result<Vec<Sealed>> {
    // An empty text is a row that is being made, in a transaction of its own.
    let sql = format!(
        "SELECT id, {column} AS sealed FROM {table} \
         WHERE id > {after} AND {column} IS NOT NULL AND {column} <> '' ORDER BY id LIMIT {AT_ONCE}"
    );
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let read = |row: &sea_orm::QueryResult| {
        Ok(Sealed { table, column, id: row.try_get("", "id")?, text: row.try_get("", "sealed")? })
    };
    rows.iter().map(read).collect()
}

/// Every sealed text there is.
pub(in crate::models) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Sealed>> {
    let mut all = Vec::new();
    for place in SEALED {
        let mut after = 0;
        loop {
            let page = page(db, *place, after).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            all.extend(page);
        }
    }
    Ok(all)
}

/// Seals everything under `NPROXY_SECRET_KEY` that lies under `NPROXY_SECRET_KEY_PREVIOUS`. Safe to repeat, and while
/// everything runs.
///
/// # Errors
/// The database does not answer; what was done until then stays done.
pub async fn rotate(ctx: &AppContext, actor: &Actor) -> Result<Rotated> {
    let parts = ctx.parts();
    let vault = parts.vault();
    let mut rotated = Rotated::default();
    for place in SEALED {
        let mut after = 0;
        loop {
            let page = page(&ctx.db, *place, after).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let mut opened = Vec::new();
            for row in page {
                if vault.is_current(&row.text) {
                    rotated.were_new += 1;
                    continue;
                }
                match vault.open(&row.place(), &row.text) {
                    Ok(secret) => opened.push((row, secret)),
                    Err(_) => rotated.closed.push(row.name()),
                }
            }
            rotated.sealed += seal_anew(ctx, vault, place.0, &opened, actor).await?;
        }
    }
    Ok(rotated)
}

async fn seal_anew(
    ctx: &AppContext,
    vault: &Vault,
    table: &str,
    opened: &[(Sealed, SecretString)],
    actor: &Actor,
) -> Result<usize> {
    if opened.is_empty() {
        return Ok(0);
    }
    let txn = begin(&ctx.db).await?;
    let (mut done, mut first) = (0, None);
    for (row, secret) in opened {
        if row.replace(&txn, vault.seal(&row.place(), secret)?).await? {
            done += 1;
            first.get_or_insert(row.id);
        }
    }
    if let Some(first) = first {
        let detail = json!({ "table": table, "rows": done, "key": vault.key_id() });
        activities::record(&txn, actor, "rotate_secrets", (table, first), detail).await?;
    }
    txn.commit().await?;
    Ok(done)
}
