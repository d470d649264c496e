//! A backup is brought back: opened, looked at, and only then put in place of what is there; then examined by the rules
//! that hold for the data of a healthy installation. Nothing else may be running meanwhile.

use std::{
    collections::{BTreeSet, HashMap},
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;
use loco_rs::{Error, Result, app::AppContext};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::{fs, runtime::Handle, task::spawn_blocking};

use super::{ABOUT, About, FILES, Kind, MANIFEST, Object, POSTGRES, SQLITE};
use crate::{
    adapters::{archive, postgres, sqlite},
    models::{
        activities::{self, Actor},
        begin,
        doctor::{self, Report},
        tokens::sha256,
    },
};

/// Where what was there before stays on `PostgreSQL` until the new is in place.
const BEFORE: &str = "nproxy_before_restore";

/// What to bring back.
#[derive(Debug)]
pub struct Restore {
    pub source: Source,
    /// What is there may be replaced.
    pub confirmed: bool,
}

#[derive(Debug)]
pub enum Source {
    /// A sealed backup, and the file with the identity that opens it.
    Backup { file: PathBuf, identity: PathBuf },
    /// The database alone, as `take_snapshot` wrote it.
    Snapshot(PathBuf),
}

/// What became of it.
#[derive(Debug)]
pub enum Restored {
    /// In place; what the rules of the data say of it, and files that the manifest names but the archive did not bring.
    Done { files: usize, missing: Vec<String>, report: Report },
    /// There is something in this database already, and nobody has said that it may go. Nothing was changed.
    NotEmpty,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    objects: Vec<Object>,
}

/// # Errors
/// The backup does not open, is damaged, of the other database or of a newer release; then nothing was changed. Or the
/// database refuses it; then what was there is still there.
pub async fn restore(ctx: &AppContext, wish: Restore) -> Result<Restored> {
    if !wish.confirmed && !is_empty(&ctx.db).await? {
        return Ok(Restored::NotEmpty);
    }
    let work = tempfile::tempdir()?;
    let name = wish.source.name();
    let (database, manifest, files) = match wish.source {
        Source::Snapshot(path) => (path, Manifest { objects: Vec::new() }, 0),
        Source::Backup { file, identity } => unpack(ctx, file, identity, &work).await?,
    };
    put_in_place(ctx, &database).await?;
    let db = Database::connect(plain(&ctx.config.database.uri, 2)).await?;
    let report = async {
        Migrator::up(&db, None).await?;
        write_down(&db, &name).await?;
        doctor::examine_books(ctx, &db).await
    }
    .await;
    db.close().await?;
    let missing = manifest.objects.into_iter().filter(|object| !object.stored).map(|object| object.key);
    Ok(Restored::Done { files, missing: missing.collect(), report: report? })
}

impl Source {
    /// The file, without where it lay.
    fn name(&self) -> String {
        let (Self::Backup { file, .. } | Self::Snapshot(file)) = self;
        file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The audit log, which is that of the backup, says that what follows was not the next thing that happened.
async fn write_down(db: &DatabaseConnection, name: &str) -> Result<()> {
    let txn = begin(db).await?;
    activities::record(&txn, &Actor::Cli, "restore_backup", ("backup", 0), json!({ "file": name })).await?;
    txn.commit().await?;
    Ok(())
}

/// Nobody has an account, and nothing was ever done.
async fn is_empty(db: &DatabaseConnection) -> Result<bool> {
    let backend = db.get_database_backend();
    let tables = match backend {
        DbBackend::Postgres => "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'users'",
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'users'",
    };
    if db.query_one_raw(Statement::from_string(backend, tables)).await?.is_none() {
        return Ok(true);
    }
    let rows = "SELECT 1 WHERE EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM activities)";
    Ok(db.query_one_raw(Statement::from_string(backend, rows)).await?.is_none())
}

/// Reads the whole backup: the database into a file, pictures into the store, where they cannot write over others.
async fn unpack(
    ctx: &AppContext,
    file: PathBuf,
    identity: PathBuf,
    work: &TempDir,
) -> Result<(PathBuf, Manifest, usize)> {
    let (ctx, runtime, folder) = (ctx.clone(), Handle::current(), work.path().to_owned());
    let unpacked = spawn_blocking(move || {
        let (mut database, mut manifest, mut hashes) = (None, None, Vec::new());
        archive::read(&file, &identity, |name, content| {
            match name {
                ABOUT => fits(&ctx, &json(content)?)?,
                SQLITE | POSTGRES => {
                    let path = folder.join(name);
                    archive::keep(&path, content)?;
                    database = Some(path);
                }
                MANIFEST => manifest = Some(json::<Manifest>(content)?),
                other => {
                    let Some(key) = other.strip_prefix(FILES) else {
                        return Err(io::Error::other(format!("{other}: unknown")));
                    };
                    // Who can seal a backup is anybody: a name must not lead out of the store.
                    if !Path::new(key).components().all(|part| matches!(part, Component::Normal(_))) {
                        return Err(io::Error::other(format!("{other}: not a name of ours")));
                    }
                    let mut bytes = Vec::new();
                    content.read_to_end(&mut bytes)?;
                    hashes.push((key.to_owned(), sha256(&bytes)));
                    let bytes = Bytes::from(bytes);
                    let put = ctx.storage.upload(Path::new(key), &bytes);
                    runtime.block_on(put).map_err(io::Error::other)?;
                }
            }
            Ok(())
        })
        .map_err(|error| Error::Message(format!("{}: {error}", file.display())))?;
        let whole = || Error::Message(format!("{} is not whole", file.display()));
        let manifest = manifest.ok_or_else(whole)?;
        let listed: HashMap<_, _> =
            manifest.objects.iter().map(|object| (object.key.as_str(), object.sha256.as_deref())).collect();
        let is_listed = |key: &str, hash: &str| listed.get(key) == Some(&Some(hash));
        if let Some((key, _)) = hashes.iter().find(|(key, hash)| !is_listed(key, hash)) {
            return Err(Error::Message(format!("{key} is not as the manifest lists it")));
        }
        Ok((database.ok_or_else(whole)?, manifest, hashes.len()))
    });
    unpacked.await.map_err(Error::wrap)?
}

fn json<T: for<'de> Deserialize<'de>>(content: &mut dyn Read) -> io::Result<T> {
    serde_json::from_reader(content).map_err(io::Error::other)
}

/// Read first: nothing has been changed when it does not.
fn fits(ctx: &AppContext, about: &About) -> io::Result<()> {
    let here = if ctx.db.get_database_backend() == DbBackend::Postgres { Kind::Postgres } else { Kind::Sqlite };
    if about.database != here {
        return Err(io::Error::other(format!("it is of {:?}, DATABASE_URL names {here:?}", about.database)));
    }
    let ours: BTreeSet<String> = Migrator::migrations().iter().map(|it| it.name().to_owned()).collect();
    match about.migrations.iter().find(|name| !ours.contains(*name)) {
        Some(name) => Err(io::Error::other(format!("it is of nproxy {}, newer than this one ({name})", about.version))),
        None => Ok(()),
    }
}

async fn put_in_place(ctx: &AppContext, database: &Path) -> Result<()> {
    match ctx.db.get_database_backend() {
        DbBackend::Postgres => exchange_schema(ctx, database).await,
        _ => exchange_file(ctx, database).await,
    }
}

/// The old file goes when the new one lies beside it, whole.
async fn exchange_file(ctx: &AppContext, database: &Path) -> Result<()> {
    let uri = &ctx.config.database.uri;
    let target = sqlite::file_of(uri).ok_or_else(|| Error::string("DATABASE_URL names no file"))?;
    ctx.db.clone().close().await?;
    alone(uri).await?;
    let beside = target.with_extension("restoring");
    fs::copy(database, &beside).await?;
    fs::File::open(&beside).await?.sync_all().await?;
    for journal in ["-wal", "-shm"] {
        let mut name = target.clone().into_os_string();
        name.push(journal);
        match fs::remove_file(&name).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    fs::rename(&beside, &target).await?;
    if let Some(folder) = target.parent() {
        fs::File::open(folder).await?.sync_all().await?;
    }
    Ok(())
}

/// Leaving the write-ahead log is refused while another process has the file open, and folds it into the file otherwise.
async fn alone(uri: &str) -> Result<()> {
    let mut options = plain(uri, 1);
    options.map_sqlx_sqlite_opts(|sqlite| sqlite.busy_timeout(std::time::Duration::from_secs(2)));
    let db = Database::connect(options).await?;
    let mode = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, "PRAGMA journal_mode = DELETE")).await;
    db.close().await?;
    let mode = mode.ok().flatten().and_then(|row| row.try_get_by_index::<String>(0).ok());
    if mode.as_deref() == Some("delete") {
        return Ok(());
    }
    Err(Error::string("another process has the database open: stop nproxy first"))
}

/// What was there stands aside until the new is whole, and comes back if it is not.
async fn exchange_schema(ctx: &AppContext, database: &Path) -> Result<()> {
    let uri = &ctx.config.database.uri;
    let aside = format!("DROP SCHEMA IF EXISTS {BEFORE} CASCADE; ALTER SCHEMA public RENAME TO {BEFORE}");
    ctx.db.execute_unprepared(&aside).await?;
    let restored = match ctx.db.execute_unprepared("CREATE SCHEMA public").await {
        Ok(_) => postgres::restore(uri, database).await.map_err(Error::Message),
        Err(error) => Err(error.into()),
    };
    let last = if restored.is_ok() {
        format!("DROP SCHEMA {BEFORE} CASCADE")
    } else {
        format!("DROP SCHEMA IF EXISTS public CASCADE; ALTER SCHEMA {BEFORE} RENAME TO public")
    };
    ctx.db.execute_unprepared(&last).await?;
    restored
}

fn plain(uri: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(uri.to_owned());
    options.max_connections(connections).sqlx_logging(false);
    options
}
