//! What an address says of an `SQLite` database.

use std::path::PathBuf;

/// The file behind an address; `None` for another database, and for one in memory, which nobody else has.
#[must_use]
pub fn file_of(uri: &str) -> Option<PathBuf> {
    let path = uri.strip_prefix("sqlite://").or_else(|| uri.strip_prefix("sqlite:"))?.split('?').next()?;
    (!path.is_empty() && !path.contains(":memory:")).then(|| PathBuf::from(path))
}
