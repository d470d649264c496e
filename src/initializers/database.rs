//! The folder of an `SQLite` file, which the database does not make by itself.

use std::path::Path;

use loco_rs::{Error, Result};

/// # Errors
/// The folder cannot be made; the message names it.
pub fn make_room(uri: &str) -> Result<()> {
    let Some(path) = uri.strip_prefix("sqlite://").or_else(|| uri.strip_prefix("sqlite:")) else { return Ok(()) };
    let path = path.split('?').next().unwrap_or_default();
    match Path::new(path).parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::create_dir_all(folder)
            .map_err(|e| Error::Message(format!("DATABASE_URL: the folder {} cannot be made: {e}", folder.display()))),
        _ => Ok(()),
    }
}
