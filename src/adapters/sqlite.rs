//! What an address says of an `SQLite` database.

use std::path::{Path, PathBuf};

/// The file behind an address, in a folder that it names; `None` for another database, and for one in memory, which nobody
/// else has.
#[must_use]
pub fn file_of(uri: &str) -> Option<PathBuf> {
    let path = uri.strip_prefix("sqlite://").or_else(|| uri.strip_prefix("sqlite:"))?.split('?').next()?;
    let folder = if path.contains('/') { "" } else { "." };
    (!path.is_empty() && !path.contains(":memory:")).then(|| Path::new(folder).join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_file_in_a_folder() {
        for (uri, file) in [
            ("sqlite://data/a.sqlite3?mode=rwc", Some("data/a.sqlite3")),
            ("sqlite:///storage/a.sqlite3", Some("/storage/a.sqlite3")),
            ("sqlite:a.sqlite3", Some("./a.sqlite3")),
            ("sqlite::memory:", None),
            ("sqlite://", None),
            ("postgres://u@h/db", None),
        ] {
            assert_eq!(file_of(uri), file.map(PathBuf::from), "{uri}");
        }
    }
}
