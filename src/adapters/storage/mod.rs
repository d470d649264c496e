//! Where files lie: a folder on disk, or any S3-compatible store when a bucket is named.

mod s3;

use std::path::{Path, PathBuf};

use loco_rs::{
    Error, Result,
    storage::{Storage, drivers::local},
};

use crate::settings;

pub use s3::{Download, LONGEST_LINK, S3};

/// The store that the settings name. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    Folder(PathBuf),
    S3(S3),
}

/// # Errors
/// The folder cannot be made, or a setting of the bucket is missing.
pub fn open(settings: &settings::Storage) -> Result<Store> {
    if !settings.s3_bucket.is_empty() {
        return Ok(Store::S3(S3::new(settings)?));
    }
    std::fs::create_dir_all(&settings.dir)
        .map_err(|e| Error::Message(format!("STORAGE_DIR {}: {e}", settings.dir.display())))?;
    Ok(Store::Folder(settings.dir.clone()))
}

impl Store {
    /// As Loco's storage, which everything reads and writes through.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn storage(&self) -> Result<Storage> {
        Ok(Storage::single(match self {
            Self::Folder(dir) => local::new_with_prefix(dir).map_err(Error::wrap)?,
            Self::S3(s3) => Box::new(s3.clone()),
        }))
    }

    /// A short-lived link to the object itself, saved under a name; `None` when the store cannot be linked to.
    ///
    /// # Errors
    /// The link cannot be signed.
    pub async fn download_link(&self, key: &Path, download: Download<'_>) -> Result<Option<String>> {
        match self {
            Self::Folder(_) => Ok(None),
            Self::S3(s3) => Ok(Some(s3.link(key, LONGEST_LINK, Some(download)).await?.url())),
        }
    }
}
