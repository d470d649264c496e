//! What a database needs that its driver does not see to: the folder of an `SQLite` file, and on `PostgreSQL` a limit for
//! those who hold locks and stand still; and the pool of connections.

use std::{path::Path, time::Duration};

use loco_rs::{Error, Result, config::Database as Settings};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, sqlx::sqlite::SqliteSynchronous};

use crate::adapters::sqlite;

/// # Errors
/// The folder cannot be made; the message names it.
pub fn make_room(uri: &str) -> Result<()> {
    let file = sqlite::file_of(uri);
    match file.as_deref().and_then(Path::parent) {
        Some(folder) => std::fs::create_dir_all(folder)
            .map_err(|e| Error::Message(format!("DATABASE_URL: the folder {} cannot be made: {e}", folder.display()))),
        None => Ok(()),
    }
}

/// Longer than any pause within a transaction of ours, shorter than the lease of a job or of a key.
const STANDS_STILL: &str = "options[idle_in_transaction_session_timeout]=15s";

/// The same address with a session that ends when a transaction is left open: a process that is stopped in the middle of
/// one would otherwise keep everybody waiting for its locks. An address with options of its own stays as it is.
#[must_use]
pub fn limited(uri: &str) -> String {
    if !uri.starts_with("postgres") || uri.contains("options") {
        return uri.to_owned();
    }
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{STANDS_STILL}")
}

/// A connection to a file that was used so lately is not asked whether it is there before it is used again.
const FILE_PROVED_FOR: Duration = Duration::from_secs(1);

/// One to a server. Only the wait for that answer is bounded, and should the server stand still, whoever was not asked waits
/// much longer: so nobody goes unasked but in a throng.
const SERVER_PROVED_FOR: Duration = Duration::from_millis(100);

/// Statements that a connection keeps ready: more than the application has in use, so that none is planned twice.
const STATEMENTS: usize = 400;

/// Files of `SQLite`'s journal that grew are cut back to this, bytes.
const JOURNAL: &str = "67108864";

/// So much of an `SQLite` file is read in place, bytes. A page that a connection has copied is worth nothing to it once another
/// has written, so in a large file the way down an index would be copied for each statement.
const MAPPED: &str = "268435456";

/// The pool of the application, in place of Loco's, which tells only the first of many connections how `SQLite` shall
/// write: what is committed is on the disk. It connects when somebody asks.
///
/// # Errors
/// The address is none.
pub async fn pool(settings: &Settings) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(&settings.uri);
    options
        .max_connections(settings.max_connections)
        .min_connections(settings.min_connections)
        .connect_timeout(Duration::from_millis(settings.connect_timeout))
        .idle_timeout(Duration::from_millis(settings.idle_timeout))
        .sqlx_logging(settings.enable_logging)
        .connect_lazy(true)
        .map_sqlx_sqlite_opts(|options| {
            let options = options.synchronous(SqliteSynchronous::Full).pragma("journal_size_limit", JOURNAL);
            options.statement_cache_capacity(STATEMENTS).pragma("mmap_size", MAPPED)
        })
        .map_sqlx_postgres_opts(|options| options.statement_cache_capacity(STATEMENTS));
    let is_file = settings.uri.starts_with("sqlite");
    options.test_before_acquire_if_idle_for(if is_file { FILE_PROVED_FOR } else { SERVER_PROVED_FOR });
    if let Some(timeout) = settings.acquire_timeout {
        options.acquire_timeout(Duration::from_millis(timeout));
    }
    Ok(Database::connect(options).await?)
}

#[cfg(test)]
mod tests {
    use super::limited;

    #[test]
    fn only_postgres_without_options_is_limited() {
        let limit = "options[idle_in_transaction_session_timeout]=15s";
        assert_eq!(limited("postgres://u@h/db"), format!("postgres://u@h/db?{limit}"));
        assert_eq!(
            limited("postgresql://u@h/db?sslmode=require"),
            format!("postgresql://u@h/db?sslmode=require&{limit}")
        );
        for as_it_is in ["sqlite://data/a.sqlite3?mode=rwc", "postgres://u@h/db?options[lock_timeout]=1s"] {
            assert_eq!(limited(as_it_is), as_it_is);
        }
    }
}
