//! The one way to open a transaction that writes.

use std::{
    borrow::Cow,
    collections::HashMap,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, ExecResult, QueryResult,
    RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex as Turns, OwnedMutexGuard};

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

/// A transaction that may write. Dropped without [`commit()`](Self::commit) it is rolled back.
pub struct Transaction {
    txn: DatabaseTransaction,
    /// On `SQLite` nobody else of this process writes meanwhile. After `txn`, so that it is given back last.
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Transaction {
    /// # Errors
    /// The database does not answer, or refuses what was written.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.txn.commit().await
    }

    /// # Errors
    /// The database does not answer; then the connection is given up, and with it the transaction.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.txn.rollback().await
    }
}

impl Deref for Transaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.txn
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DatabaseBackend {
        self.txn.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.txn.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.txn.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.txn.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.txn.query_all_raw(statement).await
    }
}

/// Who writes to which `SQLite` file next, in the order of coming. `SQLite` itself has no queue: whoever finds it locked
/// sleeps and tries again, and under load some never come to it.
static TURNS: LazyLock<Mutex<HashMap<PathBuf, Arc<Turns<()>>>>> = LazyLock::new(Mutex::default);

async fn turn(db: &DatabaseConnection) -> OwnedMutexGuard<()> {
    let file = db.get_sqlite_connection_pool().connect_options().get_filename().to_owned();
    let turns = {
        let mut files = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        files.entry(file).or_default().clone()
    };
    turns.lock_owned().await
}

/// Begins a transaction that may write, for the rare case where [`write()`] does not fit. On `SQLite` it waits until it is
/// the only one of this process, so nobody may begin a second one before the first has ended.
///
/// # Errors
/// When BEGIN fails, on `SQLite` after a few tries while another process holds the lock.
pub async fn begin(db: &DatabaseConnection) -> Result<Transaction, DbErr> {
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    if db.get_database_backend() != DatabaseBackend::Sqlite {
        // To its end, also when nobody waits for it any more. The driver takes back only what it knows has begun: of a BEGIN
        // that is given up on its way the connection would go back to the pool inside a transaction, and what others write
        // on it next would be lost.
        let db = db.clone();
        let begun = tokio::spawn(async move { db.begin().await }).await;
        let txn = begun.map_err(|ended| DbErr::Custom(format!("BEGIN ended early: {ended}")))??;
        return Ok(Transaction { txn, _turn: None });
    }
    let turn = Some(turn(db).await);
    let mut tried = 0;
    loop {
        match db.begin_with_options(immediate).await {
            Err(error) if is_busy(&error) && tried + 1 < BEGIN_TRIES => {
                tried += 1;
                tokio::time::sleep(Duration::from_millis(rand::random_range(10..50) << tried)).await;
            }
            other => return Ok(Transaction { txn: other?, _turn: turn }),
        }
    }
}

/// Is this `SQLite` saying that somebody else holds a lock (`SQLITE_BUSY`, `SQLITE_LOCKED` and their extended codes)?
#[must_use]
pub fn is_busy(error: &DbErr) -> bool {
    sqlite(&code(error).unwrap_or_default()).is_some_and(|code| matches!(code, 5 | 6))
}

/// Is what was to be written at fault, and not the database? Then it is refused as often as it is tried.
pub(crate) fn is_refused(error: &DbErr, backend: DatabaseBackend) -> bool {
    let code = code(error).unwrap_or_default();
    match backend {
        // Data exceptions (a text that holds a zero), broken constraints, limits (a key that no index can hold).
        DatabaseBackend::Postgres => ["22", "23", "54"].iter().any(|class| code.starts_with(class)),
        // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH.
        _ => sqlite(&code).is_some_and(|code| matches!(code, 18..=20)),
    }
}

/// What the database calls the error, if it is one of the database.
fn code(error: &DbErr) -> Option<Cow<'_, str>> {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return None;
    };
    cause.as_database_error()?.code()
}

/// Without what `SQLite` adds to a code. The codes of `PostgreSQL` have five places.
fn sqlite(code: &str) -> Option<i32> {
    code.parse::<i32>().ok().filter(|_| code.len() < 5).map(|code| code & 0xff)
}
