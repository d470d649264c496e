//! The pixel work of `crates/pictures`, beside the async threads: never more at once than there are cores, nor than fits
//! into what decoding may hold.

use std::sync::{Arc, LazyLock};

use loco_rs::{Error, Result};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use pictures::Scan;
pub use pictures::{Fault, MEMORY, OUTPUT_MAX_BYTES, Picture, Source, UPLOAD_MAX_BYTES, extension};

const MIB: u64 = 1024 * 1024;

/// What a decoder leaves behind for a while, beside what it asks for.
const AROUND: u64 = 12 * MIB;

/// What looking through a file may hold at a time, before it is known what its pixels need.
const LOOKING: u64 = 32 * MIB;

static CORES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Arc::new(Semaphore::new(cores))
});

/// In MiB. Each picture takes what its header says it needs, and waits until that is free.
static ROOM: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(usize::try_from(MEMORY / MIB).unwrap_or(usize::MAX >> 3))));

/// What a provider sent.
///
/// # Errors
/// Our own trouble, never the file's.
pub async fn examine(source: Source) -> Result<std::result::Result<Picture, Fault>> {
    read(source, OUTPUT_MAX_BYTES, pictures::examine).await
}

/// What a person gave.
///
/// # Errors
/// Our own trouble, never the file's.
pub async fn redraw(source: Source) -> Result<std::result::Result<Picture, Fault>> {
    read(source, UPLOAD_MAX_BYTES, pictures::redraw).await
}

async fn read(
    source: Source,
    max_bytes: usize,
    draw: fn(&Source, &Scan) -> std::result::Result<Picture, Fault>,
) -> Result<std::result::Result<Picture, Fault>> {
    let held = (room(LOOKING).await?, core().await?);
    let file = source.clone();
    let scan = match beside(held, move || pictures::scan(&file, max_bytes)).await? {
        (Ok(scan), _) => scan,
        (Err(fault), _) => return Ok(Err(fault)),
    };
    // Given back in between: nobody waits for room while holding some.
    let held = (room(scan.memory() + AROUND).await?, core().await?);
    let (picture, _) = beside(held, move || draw(&source, &scan)).await?;
    Ok(picture)
}

async fn core() -> Result<OwnedSemaphorePermit> {
    CORES.clone().acquire_owned().await.map_err(Error::wrap)
}

async fn room(bytes: u64) -> Result<OwnedSemaphorePermit> {
    let mib = u32::try_from(bytes.min(MEMORY) / MIB).map_err(Error::wrap)?;
    ROOM.clone().acquire_many_owned(mib).await.map_err(Error::wrap)
}

/// What is held goes with the work: a person who leaves does not end it. A decoder that panics has met something that is
/// not a picture.
async fn beside<H: Send + 'static, T: Send + 'static>(
    held: H,
    work: impl FnOnce() -> std::result::Result<T, Fault> + Send + 'static,
) -> Result<(std::result::Result<T, Fault>, Option<H>)> {
    match spawn_blocking(move || (work(), held)).await {
        Ok((done, held)) => Ok((done, Some(held))),
        Err(error) if error.is_panic() => {
            tracing::error!("a decoder panicked");
            Ok((Err(Fault::NotAPicture), None))
        }
        Err(error) => Err(Error::wrap(error)),
    }
}
