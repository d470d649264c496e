//! Where files lie: a folder on disk, or any S3-compatible store when a bucket is named.

mod folder;
mod s3;

use std::{io, path::Path};

use loco_rs::{
    Error, Result,
    storage::{Storage, drivers::StoreDriver},
};
use tokio::task::spawn_blocking;

use crate::settings;

pub use folder::Folder;
pub use s3::{Download, LONGEST_LINK, S3};

/// The store that the settings name. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    Folder(Folder),
    S3(S3),
}

/// # Errors
/// The folder cannot be made or written, or a setting of the bucket is missing.
pub fn open(settings: &settings::Storage) -> Result<Store> {
    if !settings.s3_bucket.is_empty() {
        return Ok(Store::S3(S3::new(settings)?));
    }
    let wrong = |what: String| Error::Message(format!("STORAGE_DIR: {what}"));
    let folder = Folder::open(&settings.dir).map_err(|error| wrong(error.to_string()))?;
    match folder.try_to_write() {
        // Reading goes on, and what frees room can be started; `/ready` says it.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            tracing::error!(folder = %settings.dir.display(), "there is no room left for pictures");
        }
        Err(error) => return Err(wrong(format!("{} cannot be written: {error}", settings.dir.display()))),
        Ok(()) => {}
    }
    Ok(Store::Folder(folder))
}

impl Store {
    /// As Loco's storage, which everything reads and writes through.
    #[must_use]
    pub fn storage(&self) -> Storage {
        Storage::single(match self {
            Self::Folder(folder) => Box::new(folder.clone()),
            Self::S3(s3) => Box::new(s3.clone()),
        })
    }

    /// Whether pictures can be stored now.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                Ok(spawn_blocking(move || folder.try_to_write()).await.map_err(Error::wrap)??)
            }
            // Whether it is there does not matter: the store has to answer.
            Self::S3(s3) => Ok(s3.exists(Path::new("ready")).await.map(drop)?),
        }
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
