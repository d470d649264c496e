//! A file on its way in. Nobody knows yet what it is, and many may come at once and slowly: beyond a handful of bytes it
//! waits on disk, in a file without a name that is gone with the process.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use loco_rs::{Error, Result};
use tokio::{fs::File, io::AsyncWriteExt, task::spawn_blocking};

use super::picture::{Source, UPLOAD_MAX_BYTES};

const IN_MEMORY: usize = 64 * 1024;

/// What came as the picture of a form.
#[derive(Debug, Clone)]
pub enum Upload {
    File(Source),
    /// More than one file: whichever we took, it might be the other.
    Several,
}

impl From<Bytes> for Upload {
    fn from(bytes: Bytes) -> Self {
        Self::File(bytes.into())
    }
}

/// Bytes as they arrive. One byte over the limit of a file is kept, so that it can be said what is wrong.
#[derive(Debug, Default)]
pub struct Arriving {
    start: BytesMut,
    disk: Option<File>,
    length: usize,
}

impl Arriving {
    /// # Errors
    /// There is no room for it on disk.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let bytes = &bytes[..bytes.len().min((UPLOAD_MAX_BYTES + 1).saturating_sub(self.length))];
        self.length += bytes.len();
        if self.disk.is_none() && self.length <= IN_MEMORY {
            self.start.extend_from_slice(bytes);
            return Ok(());
        }
        let disk = match &mut self.disk {
            Some(disk) => disk,
            disk @ None => {
                let file = spawn_blocking(tempfile::tempfile).await.map_err(Error::wrap)??;
                let file = disk.insert(File::from_std(file));
                file.set_max_buf_size(IN_MEMORY);
                file.write_all(&std::mem::take(&mut self.start)).await?;
                file
            }
        };
        disk.write_all(bytes).await?;
        Ok(())
    }

    /// `None` when nothing came: a file input without a file.
    ///
    /// # Errors
    /// There is no room for it on disk.
    pub async fn finish(self) -> Result<Option<Upload>> {
        let Some(mut disk) = self.disk else {
            return Ok((self.length > 0).then(|| self.start.freeze().into()));
        };
        disk.flush().await?;
        let file = Arc::new(disk.into_std().await);
        Ok(Some(Upload::File(Source::File(file, self.length as u64))))
    }
}
