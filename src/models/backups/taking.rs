//! A backup is taken: the database first, then the files it names, sealed into one archive that gets its name when it is
//! whole. A picture that is deleted meanwhile is listed without its bytes.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};
use serde_json::json;
use tokio::{fs, runtime::Handle, task::spawn_blocking};

use super::{
    ABOUT, About, Backup, FILES, Kind, MANIFEST, NAME, Object, POSTGRES, SQLITE, in_folder,
    rotation::{self, Keep},
    take_snapshot,
};
use crate::{
    adapters::{archive::Writer, storage::Store},
    context::Nproxy,
    models::{
        _entities::{
            assets::{Column as Asset, Entity as Assets},
            backups,
            storage_objects::{Column, Entity},
        },
        alerts, begin, clock, insert_new,
        storage_objects::State,
        tokens::sha256,
    },
};

const PAGE: u64 = 1000;

/// What a process that died left behind is removed after this.
const STALE: Duration = Duration::from_secs(24 * 3600);
const PARTIAL: &str = ".partial-";

/// A backup, and what it made superfluous.
#[derive(Debug)]
pub struct Taken {
    pub backup: Backup,
    pub objects: usize,
    pub removed: Vec<PathBuf>,
}

/// # Errors
/// Backups are off, the folder has no room, `pg_dump` is missing, or the database or the store does not answer. Nothing
/// half-done is left.
pub async fn take(ctx: &AppContext) -> Result<Taken> {
    let parts = ctx.parts();
    let settings = &parts.settings().backup;
    if !settings.is_on() {
        return Err(Error::string(
            "backups are off: set BACKUP_DIR and BACKUP_RECIPIENT (nproxy task backup_identity)",
        ));
    }
    fs::create_dir_all(&settings.dir).await?;
    tidy(&settings.dir).await?;
    let about = about(ctx).await?;
    let taken_at = about.taken_at;
    let path = settings.dir.join(about.taken_at.format(NAME).to_string());
    let work = tempfile::Builder::new().prefix(PARTIAL).tempdir_in(&settings.dir)?;
    let database = work.path().join(about.database.entry());
    take_snapshot(ctx, &database).await?;
    let objects = named(ctx).await?;
    let count = objects.len();
    let packed = work.path().join("packed");
    let bytes = pack(ctx, about, database, objects, packed.clone()).await?;
    fs::rename(&packed, &path).await?;
    fs::File::open(&settings.dir).await?.sync_all().await?;
    drop(work);
    let keep = Keep { daily: settings.keep_daily, weekly: settings.keep_weekly };
    let removed = rotation::rotate(&in_folder(&settings.dir).await?, keep).await?;
    let backup = Backup { path, taken_at, bytes };
    write_down(ctx, &backup, count, &removed).await?;
    tracing::info!(bytes, objects = count, removed = removed.len(), "backup taken");
    Ok(Taken { backup, objects: count, removed })
}

/// From now on every process knows of it, and nobody has to be told that the last one is old.
async fn write_down(ctx: &AppContext, backup: &Backup, objects: usize, removed: &[PathBuf]) -> Result<()> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let row = backups::ActiveModel {
        name: Set(name(&backup.path)),
        bytes: Set(i64::try_from(backup.bytes).unwrap_or(i64::MAX)),
        objects: Set(i64::try_from(objects).unwrap_or(i64::MAX)),
        taken_at: Set(backup.taken_at),
        ..Default::default()
    };
    let txn = begin(&ctx.db).await?;
    insert_new(&txn, row).await?;
    let gone = removed.iter().map(|path| name(path));
    backups::Entity::delete_many().filter(backups::Column::Name.is_in(gone)).exec(&txn).await?;
    alerts::over(&txn, alerts::Kind::BackupOld, "all").await?;
    txn.commit().await?;
    Ok(())
}

impl Kind {
    const fn entry(self) -> &'static str {
        match self {
            Self::Sqlite => SQLITE,
            Self::Postgres => POSTGRES,
        }
    }
}

async fn about(ctx: &AppContext) -> Result<About> {
    let backend = ctx.db.get_database_backend();
    let applied = Statement::from_string(backend, "SELECT version FROM seaql_migrations ORDER BY version");
    let applied = ctx.db.query_all_raw(applied).await?;
    Ok(About {
        version: env!("CARGO_PKG_VERSION").into(),
        database: if backend == DbBackend::Postgres { Kind::Postgres } else { Kind::Sqlite },
        taken_at: clock::now(&ctx.db).await?,
        migrations: applied.iter().map(|row| row.try_get_by_index(0)).collect::<std::result::Result<_, _>>()?,
    })
}

/// Everything that lies in the store for somebody, with what the database knows of it.
async fn named(ctx: &AppContext) -> Result<Vec<Object>> {
    let is_here = matches!(ctx.parts().store(), Store::Folder(_));
    let (mut objects, mut after) = (Vec::new(), 0);
    loop {
        let live = Entity::find().filter(Column::State.eq(State::Live)).filter(Column::Id.gt(after));
        let page = live.order_by_asc(Column::Id).limit(PAGE).all(&ctx.db).await?;
        let Some(last) = page.last() else { return Ok(objects) };
        after = last.id;
        let keys: Vec<_> = page.iter().map(|object| object.storage_key.clone()).collect();
        let known = Assets::find().filter(Asset::StorageKey.is_in(keys)).all(&ctx.db).await?;
        let mut hashes: HashMap<_, _> = known.into_iter().map(|asset| (asset.storage_key, asset.sha256)).collect();
        objects.extend(page.into_iter().map(|object| Object {
            bytes: object.bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            sha256: hashes.remove(&object.storage_key),
            key: object.storage_key,
            stored: is_here,
        }));
    }
}

/// The archive, written beside everything else that goes on; how many bytes it has.
async fn pack(
    ctx: &AppContext,
    about: About,
    database: PathBuf,
    mut objects: Vec<Object>,
    path: PathBuf,
) -> Result<u64> {
    let (ctx, runtime) = (ctx.clone(), Handle::current());
    let packed = spawn_blocking(move || -> Result<u64> {
        let mut archive = Writer::create(&path, &ctx.parts().settings().backup.recipient)?;
        let page = |archive: &mut Writer, name: &str, content: &serde_json::Value| {
            let text = content.to_string();
            archive.add(name, text.len() as u64, text.as_bytes())
        };
        page(&mut archive, ABOUT, &json!(about))?;
        let file = std::fs::File::open(&database)?;
        archive.add(about.database.entry(), file.metadata()?.len(), file)?;
        for object in objects.iter_mut().filter(|object| object.stored) {
            let key = Path::new(&object.key);
            let exists = runtime.block_on(ctx.storage.exists(key))?;
            if !exists {
                object.stored = false;
                continue;
            }
            let bytes: Vec<u8> = runtime.block_on(ctx.storage.download(key))?;
            object.bytes = Some(bytes.len() as u64);
            object.sha256 = Some(sha256(&bytes));
            archive.add(&format!("{FILES}{}", object.key), bytes.len() as u64, bytes.as_slice())?;
        }
        page(&mut archive, MANIFEST, &json!({ "objects": objects }))?;
        Ok(archive.finish()?)
    });
    packed.await.map_err(Error::wrap)?
}

/// Takes away what a process that died has left.
async fn tidy(folder: &Path) -> Result<()> {
    let mut entries = fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let is_partial = entry.file_name().to_str().is_some_and(|name| name.starts_with(PARTIAL));
        let age = entry.metadata().await?.modified()?.elapsed().unwrap_or_default();
        if is_partial && age > STALE {
            fs::remove_dir_all(entry.path()).await?;
        }
    }
    Ok(())
}
