//! A folder on disk, as strict as a bucket: what was stored under a key is never written over, and what counts as stored
//! survives a power cut.

use std::{
    collections::HashSet,
    fmt,
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use loco_rs::storage::{
    StorageError, StorageResult,
    drivers::{GetResponse, ListEntry, PresignPutOptions, PresignedRequest, StoreDriver, UploadResponse, local},
    stream::BytesStream,
};
use tokio::task::spawn_blocking;

/// Reads, lists and deletes as Loco's driver for folders does; writes in its own way.
#[derive(Clone)]
pub struct Folder {
    root: PathBuf,
    /// Folders whose own names are on the disk for certain.
    settled: Arc<Mutex<HashSet<PathBuf>>>,
    plain: Arc<dyn StoreDriver>,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Folder").field(&self.root).finish()
    }
}

impl Folder {
    /// # Errors
    /// The folder cannot be made or opened.
    pub fn open(root: &Path) -> StorageResult<Self> {
        std::fs::create_dir_all(root).map_err(|error| fault("make", root, &error))?;
        Ok(Self { root: root.to_owned(), settled: Arc::default(), plain: local::new_with_prefix(root)?.into() })
    }

    /// Writes a file and removes it.
    ///
    /// # Errors
    /// Why the folder cannot be written.
    pub fn try_to_write(&self) -> io::Result<()> {
        let probe = self.root.join(format!(".probe-{}", uuid::Uuid::new_v4()));
        let written = File::create_new(&probe).and_then(|mut file| file.write_all(b"nproxy"));
        let removed = std::fs::remove_file(&probe);
        written.and(removed)
    }

    /// Where a key lies; no key leads out of the folder.
    fn place(&self, key: &Path) -> StorageResult<PathBuf> {
        if key.as_os_str().is_empty() || !key.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(StorageError::Any(format!("folder: {} is not a key", key.display()).into()));
        }
        Ok(self.root.join(key))
    }

    /// Never over what is there. Bytes and the names that lead to them are on the disk before this says so; what could not
    /// be written whole is taken back.
    fn put(&self, place: &Path, content: &[u8]) -> io::Result<()> {
        let folder = place.parent().unwrap_or(&self.root);
        let new = || OpenOptions::new().write(true).create_new(true).open(place);
        self.make(folder)?;
        let opened = match new() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Somebody tidied up.
                self.settled().remove(folder);
                self.make(folder)?;
                new()
            }
            opened => opened,
        };
        let mut file = match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // The same once more is what an answer that got lost leads to.
                return if std::fs::read(place)? == content {
                    Ok(())
                } else {
                    Err(io::Error::new(ErrorKind::AlreadyExists, "there is another file under this key already"))
                };
            }
            opened => opened?,
        };
        if let Err(error) = file.write_all(content).and_then(|()| file.sync_all()) {
            // The sweep knows the key if this fails as well.
            drop(std::fs::remove_file(place));
            return Err(error);
        }
        File::open(folder)?.sync_all()
    }

    /// A folder with all that lead to it; once in the life of a process each, also if another made it, which may not have come
    /// to writing its name yet.
    fn make(&self, folder: &Path) -> io::Result<()> {
        if self.settled().contains(folder) {
            return Ok(());
        }
        std::fs::create_dir_all(folder)?;
        for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(&self.root)) {
            File::open(above)?.sync_all()?;
        }
        self.settled().insert(folder.to_owned());
        Ok(())
    }

    fn settled(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StoreDriver for Folder {
    async fn upload(&self, key: &Path, content: &Bytes) -> StorageResult<UploadResponse> {
        let (folder, place, content) = (self.clone(), self.place(key)?, content.clone());
        let put = spawn_blocking(move || folder.put(&place, &content).map_err(|error| (place, error)));
        match put.await {
            Ok(Ok(())) => Ok(UploadResponse::new(None, None)),
            Ok(Err((place, error))) => Err(fault("put", &place, &error)),
            Err(error) => Err(StorageError::Any(error.into())),
        }
    }

    async fn get(&self, path: &Path) -> StorageResult<GetResponse> {
        self.plain.get(path).await
    }

    async fn get_stream(&self, path: &Path) -> StorageResult<BytesStream> {
        self.plain.get_stream(path).await
    }

    async fn delete(&self, path: &Path) -> StorageResult<()> {
        self.plain.delete(path).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> StorageResult<()> {
        self.plain.rename(from, to).await
    }

    async fn copy(&self, from: &Path, to: &Path) -> StorageResult<()> {
        self.plain.copy(from, to).await
    }

    async fn exists(&self, path: &Path) -> StorageResult<bool> {
        self.plain.exists(path).await
    }

    async fn list(&self, path: &Path, recursive: bool) -> StorageResult<Vec<ListEntry>> {
        self.plain.list(path, recursive).await
    }

    async fn stat(&self, path: &Path) -> StorageResult<ListEntry> {
        self.plain.stat(path).await
    }

    async fn presign_get(&self, path: &Path, expire: Duration) -> StorageResult<PresignedRequest> {
        self.plain.presign_get(path, expire).await
    }

    async fn presign_put(
        &self,
        path: &Path,
        expire: Duration,
        options: PresignPutOptions,
    ) -> StorageResult<PresignedRequest> {
        self.plain.presign_put(path, expire, options).await
    }
}

fn fault(verb: &str, place: &Path, error: &io::Error) -> StorageError {
    StorageError::Any(format!("folder {verb} {}: {error}", place.display()).into())
}
