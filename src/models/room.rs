//! Room on the disks that we write to: for pictures in a folder, an `SQLite` file, backups, and uploads on their way in.

use std::path::{Path, PathBuf};

use loco_rs::app::AppContext;
use tokio::task::spawn_blocking;

use crate::{
    adapters::{disk, sqlite, storage::Store},
    context::Nproxy,
};

pub const MIB: u64 = 1024 * 1024;

/// Below this a disk counts as full: pictures of an hour, and the journal of the database.
pub const AT_LEAST: u64 = 512 * MIB;

/// A disk, by a folder on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub folder: PathBuf,
    pub free: u64,
    pub all: u64,
}

impl Room {
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.free < AT_LEAST
    }

    /// Somebody should look: less than a tenth is left.
    #[must_use]
    pub const fn is_scarce(&self) -> bool {
        self.free < self.all / 10
    }
}

/// Every folder that this process writes to, and what is beneath it; a disk that does not answer in its own words.
pub async fn look(ctx: &AppContext) -> Vec<(PathBuf, Result<Room, String>)> {
    let folders = folders(ctx);
    let ask = move || folders.into_iter().map(|folder| (folder.clone(), ask(folder))).collect();
    spawn_blocking(ask).await.unwrap_or_default()
}

/// Of those that answer, the one with the least.
pub async fn least(ctx: &AppContext) -> Option<Room> {
    look(ctx).await.into_iter().filter_map(|(_, room)| room.ok()).min_by_key(|room| room.free)
}

fn folders(ctx: &AppContext) -> Vec<PathBuf> {
    let parts = ctx.parts();
    let mut folders = vec![std::env::temp_dir()];
    if matches!(parts.store(), Store::Folder(_)) {
        folders.push(parts.settings().storage.dir.clone());
    }
    folders.extend(sqlite::file_of(&ctx.config.database.uri).and_then(|file| file.parent().map(Path::to_owned)));
    if parts.settings().backup.is_on() {
        folders.push(parts.settings().backup.dir.clone());
    }
    folders
}

/// A folder that is made with its first file lies on the disk of the one above it.
fn ask(folder: PathBuf) -> Result<Room, String> {
    let there = folder.ancestors().find(|it| it.exists()).unwrap_or(Path::new("."));
    let (free, all) = disk::room(there).map_err(|error| error.to_string())?;
    Ok(Room { folder, free, all })
}
