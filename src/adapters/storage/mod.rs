//! Where files lie: a folder on disk, or any S3-compatible store when a bucket is named.

use loco_rs::{
    Error, Result,
    storage::{Storage, drivers::local},
};

use crate::settings;

/// # Errors
/// The folder cannot be made.
pub fn open(settings: &settings::Storage) -> Result<Storage> {
    std::fs::create_dir_all(&settings.dir)
        .map_err(|e| Error::Message(format!("STORAGE_DIR {}: {e}", settings.dir.display())))?;
    let driver = local::new_with_prefix(&settings.dir).map_err(Error::wrap)?;
    Ok(Storage::single(driver))
}
