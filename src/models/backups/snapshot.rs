//! The database alone, as it was at one moment, in a file.

use std::path::Path;

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ConnectionTrait, DbBackend};

use crate::adapters::postgres;

/// Copies the database into a file that is not there yet, while everything goes on: an `SQLite` file, or a dump of
/// `PostgreSQL` in its own format. Not sealed: for hooks that look after that themselves.
///
/// # Errors
/// The file is there already or cannot be written, or `pg_dump` is missing.
pub async fn take_snapshot(ctx: &AppContext, into: &Path) -> Result<()> {
    if tokio::fs::try_exists(into).await? {
        return Err(Error::Message(format!("{} is there already", into.display())));
    }
    if ctx.db.get_database_backend() == DbBackend::Postgres {
        return postgres::dump(&ctx.config.database.uri, into).await.map_err(Error::Message);
    }
    let path = into.to_str().ok_or_else(|| Error::string("the path is not text"))?.replace('\'', "''");
    ctx.db.execute_unprepared(&format!("VACUUM INTO '{path}'")).await?;
    Ok(())
}
