//! Copies of everything, sealed for somebody who need not be on this server: the database, the list of all pictures, and
//! the pictures themselves when they lie in a folder. Taken every night, kept for some days and weeks, and good for
//! nothing before one was restored.

mod restoring;
mod rotation;
mod snapshot;
mod taking;

use std::path::{Path, PathBuf};

use chrono::{NaiveDateTime, TimeDelta};
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, QuerySelect, prelude::DateTimeUtc};
use serde::{Deserialize, Serialize};
use tokio::fs;

use super::{
    _entities::{
        backups::{Column, Entity},
        users,
    },
    clock,
};
use crate::context::Nproxy;

pub use super::_entities::backups::Model;
pub use crate::adapters::archive::new_identity;
pub use restoring::{Restore, Restored, Source, restore};
pub use snapshot::take_snapshot;
pub use taking::{Taken, take};

/// `nproxy-20261129T024000Z.backup.age`: the moment is in the name, and names sort as moments do.
const NAME: &str = "nproxy-%Y%m%dT%H%M%SZ.backup.age";

/// They are taken once a day.
const LATE: TimeDelta = TimeDelta::hours(26);

/// Entries of the archive, in the order in which they stand there.
const ABOUT: &str = "about.json";
const SQLITE: &str = "database.sqlite3";
const POSTGRES: &str = "database.pgdump";
const FILES: &str = "files/";
const MANIFEST: &str = "manifest.json";

/// A backup as it lies in `BACKUP_DIR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    pub path: PathBuf,
    pub taken_at: DateTimeUtc,
    pub bytes: u64,
}

/// How it stands with them: how old the last one is is what matters.
#[derive(Debug)]
pub struct Standing {
    pub last: Option<Model>,
    /// A night went by without one.
    pub is_late: bool,
}

/// What stands first in an archive: whether it fits.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    version: String,
    database: Kind,
    taken_at: DateTimeUtc,
    migrations: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Sqlite,
    Postgres,
}

/// One file of the store, as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Object {
    key: String,
    bytes: Option<u64>,
    /// Unknown of what lies in a bucket and is no picture.
    sha256: Option<String>,
    /// Its bytes are in the archive; a bucket keeps its own.
    stored: bool,
}

/// Whether backups are taken at all.
#[must_use]
pub fn are_on(ctx: &AppContext) -> bool {
    ctx.parts().settings().backup.is_on()
}

/// As every process sees it, whichever host has the files; `None` while none are taken.
///
/// # Errors
/// The database does not answer.
pub async fn standing(ctx: &AppContext, db: &impl ConnectionTrait) -> Result<Option<Standing>> {
    if !are_on(ctx) {
        return Ok(None);
    }
    let last = Entity::find().order_by_desc(Column::Id).one(db).await?;
    let since = match &last {
        Some(last) => Some(last.taken_at),
        // Before the first one: since there is something to lose.
        None => first_account(db).await?,
    };
    let now = clock::now(db).await?;
    Ok(Some(Standing { last, is_late: since.is_some_and(|since| now - since > LATE) }))
}

async fn first_account(db: &impl ConnectionTrait) -> Result<Option<DateTimeUtc>> {
    let first = users::Entity::find().order_by_asc(users::Column::Id).select_only().column(users::Column::CreatedAt);
    Ok(first.into_tuple().one(db).await?)
}

/// Those that lie in the folder, newest first.
async fn in_folder(folder: &Path) -> Result<Vec<Backup>> {
    let mut backups = Vec::new();
    let mut entries = match fs::read_dir(folder).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(backups),
        entries => entries.map_err(|error| Error::Message(format!("BACKUP_DIR: {}: {error}", folder.display())))?,
    };
    while let Some(entry) = entries.next_entry().await? {
        if let Some(taken_at) = entry.file_name().to_str().and_then(taken_at) {
            backups.push(Backup { path: entry.path(), taken_at, bytes: entry.metadata().await?.len() });
        }
    }
    backups.sort_by_key(|backup| std::cmp::Reverse(backup.taken_at));
    Ok(backups)
}

fn taken_at(name: &str) -> Option<DateTimeUtc> {
    NaiveDateTime::parse_from_str(name, NAME).ok().map(|moment| moment.and_utc())
}
