//! The one way to open a transaction that writes.

use std::time::Duration;

use sea_orm::{
    DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

/// How often BEGIN is tried when another process holds `SQLite`'s write lock beyond the driver's own busy timeout.
const BEGIN_TRIES: u32 = 5;

/// Runs `f` in a transaction: commit on `Ok`, rollback on `Err`.
///
/// On `SQLite` it begins IMMEDIATE. A deferred transaction that reads first and writes later fails at once with
/// "database is locked" when another writer came between, and no timeout helps. Only BEGIN is tried again on a busy
/// database; `f` runs once.
///
/// `f` is an async closure. Its future is `Send` whenever what it holds is, so this works in axum handlers, in
/// `#[async_trait]` methods and under `tokio::spawn`:
///
/// ```no_run
/// # async fn example(db: sea_orm::DatabaseConnection) -> Result<(), sea_orm::DbErr> {
/// # use durable_jobs::{NewJob, enqueue};
/// let job = durable_jobs::tx::write(&db, async |txn| enqueue(txn, NewJob::new("Ping", ().into())).await).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers, or what BEGIN or COMMIT answer.
pub async fn write<T, E>(
    db: &DatabaseConnection,
    f: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<DbErr>,
{
    let txn = begin(db).await?;
    match f(&txn).await {
        Ok(value) => {
            txn.commit().await?;
            Ok(value)
        }
        Err(error) => {
            if let Err(rollback) = txn.rollback().await {
                tracing::debug!(error = %rollback, "rollback failed; the connection is given up");
            }
            Err(error)
        }
    }
}

/// Begins a transaction that may write, for the rare case where [`write()`] does not fit.
///
/// # Errors
/// When BEGIN fails, on `SQLite` after a few tries while another writer holds the lock.
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    if db.get_database_backend() != DatabaseBackend::Sqlite {
        return db.begin().await;
    }
    let mut tried = 0;
    loop {
        match db.begin_with_options(immediate).await {
            Err(error) if is_busy(&error) && tried + 1 < BEGIN_TRIES => {
                tried += 1;
                tokio::time::sleep(Duration::from_millis(rand::random_range(10..50) << tried)).await;
            }
            other => return other,
        }
    }
}

/// Is this `SQLite` saying that somebody else holds a lock (`SQLITE_BUSY`, `SQLITE_LOCKED` and their extended codes)?
#[must_use]
pub fn is_busy(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    let code = cause.as_database_error().and_then(|cause| cause.code());
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}
