//! The product: rules, states, transactions. A file per noun; a folder of the same name holds its abilities.

mod _entities;
pub mod activities;
pub mod admin;
pub mod alerts;
pub mod allowances;
pub mod assets;
pub mod attempts;
pub mod auth_events;
pub mod backups;
pub mod catalogue;
pub mod clock;
pub mod conversations;
pub mod debts;
pub mod devices;
pub mod doctor;
pub mod exports;
pub mod generations;
pub mod health;
pub mod holds;
pub mod invoices;
pub mod job_queue;
pub mod jobs;
pub mod landing;
pub mod ledger_entries;
pub mod listing;
pub mod measures;
pub mod notes;
pub mod notifications;
pub mod outputs;
pub mod payment_events;
pub mod provider_keys;
pub mod proxies;
pub mod push_keys;
pub mod room;
pub mod runs;
pub mod sessions;
pub mod shares;
pub mod standing;
pub mod storage_objects;
pub mod subscriptions;
pub mod switches;
pub mod telegram_admins;
pub mod telegram_confirmations;
pub mod telegram_pairings;
pub mod telegram_updates;
pub mod throttles;
pub mod tokens;
pub mod users;
pub mod vault;

use durable_jobs::tx::Transaction;
use loco_rs::{Error, Result};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, ExprTrait,
    IntoActiveModel, RuntimeErr, SqlxError,
    sea_query::{OnConflict, SimpleExpr},
};

/// What `PostgreSQL` says when it shuts down, has crashed, or is not up yet.
const GOING_OR_COMING: &str = "57P";

/// Whether it is the database that is not there, so that it works later what does not work now.
#[must_use]
pub fn is_away(error: &Error) -> bool {
    match error {
        Error::DB(DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) => true,
        Error::DB(DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) => {
            match &**error {
                SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed => true,
                SqlxError::Database(error) => error.code().is_some_and(|code| code.starts_with(GOING_OR_COMING)),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Things that are done one by one: what is wrong with one keeps nobody from the others, and is said at the end.
#[derive(Debug, Default)]
pub(crate) struct OneByOne {
    /// The first of what went wrong.
    error: Option<Error>,
}

impl OneByOne {
    /// What came of one of them, and nothing where it went wrong: the log then says what could not be done, and to which
    /// row.
    ///
    /// # Errors
    /// The database is away: each of the others would only wait for it in vain.
    pub(crate) fn came<T: Default>(&mut self, outcome: Result<T>, undone: &str, row: i64) -> Result<T> {
        match outcome {
            Err(error) if !is_away(&error) => {
                tracing::error!(row, %error, "{undone}");
                self.error.get_or_insert(error);
                Ok(T::default())
            }
            outcome => outcome,
        }
    }

    /// What came of all of them.
    ///
    /// # Errors
    /// Something was wrong with one of them.
    pub(crate) fn end<T>(self, all: T) -> Result<T> {
        self.error.map_or(Ok(all), Err)
    }
}

/// Every writing transaction starts here: on `SQLite` it takes the write lock at once, because a transaction that reads
/// first and writes later fails under load. Dropped without `commit`, it is rolled back.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn begin(db: &DatabaseConnection) -> Result<Transaction> {
    Ok(durable_jobs::tx::begin(db).await?)
}

/// A state as its column holds it.
pub(crate) fn text<E: sea_orm::ActiveEnum<Value = String>>(state: E) -> String {
    state.into_value()
}

/// Whether a column that partial indexes speak of holds this state, which is part of the statement itself: bound, it would hide
/// such an index from `PostgreSQL`, and `SQLite` would plan anew at each execution to see whether it fits.
pub(crate) fn is<E: ActiveEnum<Value = String>>(column: impl ColumnTrait, state: E) -> SimpleExpr {
    column.into_expr().eq(SimpleExpr::Constant(state.into_value().into()))
}

/// Writes a row unless one with the same unique values is there, whichever of them these are: `false` when it is.
/// `SeaORM`'s own `on_conflict_do_nothing` looks at the primary key alone.
pub(crate) async fn insert_new<A: ActiveModelTrait>(db: &impl ConnectionTrait, row: A) -> Result<bool> {
    let unless_taken = OnConflict::new().do_nothing().to_owned();
    Ok(A::Entity::insert(row).on_conflict(unless_taken).exec_without_returning(db).await? == 1)
}

/// The same, and the row as it was written.
pub(crate) async fn insert_new_row<A: ActiveModelTrait>(
    db: &impl ConnectionTrait,
    row: A,
) -> Result<Option<<A::Entity as EntityTrait>::Model>>
where
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    let unless_taken = OnConflict::new().do_nothing().to_owned();
    Ok(A::Entity::insert(row).on_conflict(unless_taken).exec_with_returning_many(db).await?.pop())
}
