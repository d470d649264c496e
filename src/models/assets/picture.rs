//! The pixel work of `crates/pictures`, beside the async threads and never more at once than there are cores.

use std::sync::LazyLock;

use bytes::Bytes;
use loco_rs::{Error, Result};
use tokio::{sync::Semaphore, task::spawn_blocking};

pub use pictures::{Fault, OUTPUT_MAX_BYTES, Picture, UPLOAD_MAX_BYTES, extension};

/// Decoding holds memory by the hundred megabytes: one per core, and the rest waits.
static DECODERS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get)));

/// What a provider sent.
///
/// # Errors
/// Our own trouble, never the file's.
pub async fn examine(bytes: Bytes) -> Result<std::result::Result<Picture, Fault>> {
    beside(move || pictures::examine(&bytes)).await
}

/// What a person gave.
///
/// # Errors
/// Our own trouble, never the file's.
pub async fn redraw(bytes: Bytes) -> Result<std::result::Result<Picture, Fault>> {
    beside(move || pictures::redraw(&bytes)).await
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _one_core = DECODERS.acquire().await.map_err(Error::wrap)?;
    spawn_blocking(work).await.map_err(Error::wrap)
}
