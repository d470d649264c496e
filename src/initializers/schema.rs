//! The schema, before anything else starts: brought up to date by one process at a time, and never run against by a
//! release that is older than it.

use std::{collections::HashSet, fs::File, time::Duration};

use loco_rs::{Error, Result, config::Database as Settings};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, Statement};

use crate::adapters::sqlite;

/// Names our lock among the advisory locks of a PostgreSQL server; any constant does.
const LOCK: i64 = 5_150_000_080;

/// The lock has one, the migrations another.
const CONNECTIONS: u32 = 4;

/// Migrates if the configuration says so, and refuses a schema that this release does not know.
///
/// # Errors
/// What keeps the process from starting, in words for an operator.
pub async fn settle(settings: &Settings) -> Result<()> {
    let mut options = ConnectOptions::new(&settings.uri);
    options.max_connections(CONNECTIONS).connect_timeout(Duration::from_millis(settings.connect_timeout));
    // The lock is its session's: no connection may leave before the end.
    options.idle_timeout(None).max_lifetime(None).sqlx_logging(false);
    let db = Database::connect(options).await.map_err(|error| unreachable(&settings.uri, &error.to_string()))?;
    let settled = under_lock(&db, settings).await;
    db.close().await?;
    settled
}

async fn under_lock(db: &DatabaseConnection, settings: &Settings) -> Result<()> {
    if !settings.auto_migrate {
        return known(db).await;
    }
    if db.get_database_backend() == DatabaseBackend::Postgres {
        db.execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK})")).await?;
        // Given back with the session, whatever happens in between.
        return migrate(db).await;
    }
    let Some(mut path) = sqlite::file_of(&settings.uri) else { return migrate(db).await };
    let lock = tokio::task::spawn_blocking(move || {
        path.as_mut_os_string().push(".migrating");
        let lock = File::create(path)?;
        lock.lock().map(|()| lock)
    });
    let _lock = lock.await.map_err(Error::msg)??;
    migrate(db).await
}

async fn migrate(db: &DatabaseConnection) -> Result<()> {
    known(db).await?;
    let before = applied(db).await?.len();
    Migrator::up(db, None).await?;
    let migrations = Migrator::migrations().len() - before;
    if migrations > 0 {
        tracing::info!(migrations, "the schema is up to date");
    }
    Ok(())
}

/// Is there nothing in the schema that a later release put there?
async fn known(db: &DatabaseConnection) -> Result<()> {
    let ours: HashSet<String> = Migrator::migrations().iter().map(|it| it.name().to_owned()).collect();
    let mut newer: Vec<String> = applied(db).await?.into_iter().filter(|it| !ours.contains(it)).collect();
    newer.sort();
    let Some(last) = newer.last() else { return Ok(()) };
    Err(Error::Message(format!(
        "the database has been migrated by a newer release: its schema has {last}, which {} {} does not know. Start the \
         newer release, or go back to a backup from before the upgrade (UPGRADING.md)",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
    )))
}

/// The migrations that the database has, none before the first.
async fn applied(db: &DatabaseConnection) -> Result<Vec<String>> {
    let backend = db.get_database_backend();
    let there = match backend {
        DatabaseBackend::Postgres => {
            "SELECT 1 FROM pg_tables WHERE tablename = 'seaql_migrations' AND schemaname = ANY (current_schemas(false))"
        }
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
    };
    if db.query_one_raw(Statement::from_string(backend, there)).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows = db.query_all_raw(Statement::from_string(backend, "SELECT version FROM seaql_migrations")).await?;
    Ok(rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>()?)
}

/// What an operator is told of a database that does not answer: where it is, but not with which password.
#[must_use]
pub fn unreachable(uri: &str, error: &str) -> Error {
    let place = url::Url::parse(uri)
        .ok()
        .and_then(|url| Some(format!("{}:{}{}", url.host_str()?, url.port().unwrap_or(5432), url.path())));
    Error::Message(format!("DATABASE_URL: {} cannot be reached: {error}", place.as_deref().unwrap_or("the database")))
}
