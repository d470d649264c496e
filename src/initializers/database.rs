//! What a database needs that its driver does not see to: the folder of an `SQLite` file, and on `PostgreSQL` a limit for
//! those who hold locks and stand still.

use std::path::Path;

use loco_rs::{Error, Result};

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
