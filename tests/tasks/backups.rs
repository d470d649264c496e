//! Backups are good for nothing before one was restored.

use std::path::{Path, PathBuf};

use chrono::{TimeDelta, Utc};
use nproxy::models::{alerts, backups};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::{Value, json};

use super::doctor::consult;
use crate::support::{Finished, Setup, TestApp, TestDatabase, is_postgres};

/// The settings under which backups are taken, and the identity that opens them.
struct Keeper {
    dir: PathBuf,
    identity: PathBuf,
    recipient: String,
}

impl Keeper {
    async fn appoint(app: &TestApp) -> Self {
        let (dir, identity) = (app.folder.path().join("backups"), app.folder.path().join("identity.txt"));
        let made = app.nproxy(&["task", "backup_identity", &format!("file:{}", identity.display())]).await;
        assert_eq!(made.code, Some(0), "{}", made.said());
        let recipient = made.out.lines().find_map(|line| line.strip_prefix("BACKUP_RECIPIENT=")).unwrap().to_owned();
        let secret = std::fs::read_to_string(&identity).unwrap();
        let secret = secret.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
        assert!(!made.said().contains(secret), "the secret half is not told");
        Self { dir, identity, recipient }
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        vec![("BACKUP_DIR", self.dir.to_str().unwrap()), ("BACKUP_RECIPIENT", &self.recipient)]
    }

    async fn take(&self, app: &TestApp) -> Value {
        let taken = consult(app, &["task", "backup", "json:true"], &self.settings()).await;
        assert_eq!(taken.code, Some(0), "{}", taken.said());
        serde_json::from_str(taken.out.lines().find(|line| line.starts_with('{')).unwrap()).unwrap()
    }
}

/// Another machine: an empty database and an empty folder.
struct Elsewhere {
    folder: tempfile::TempDir,
    database: TestDatabase,
}

impl Elsewhere {
    async fn find() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { database: TestDatabase::empty(folder.path(), is_postgres()).await, folder }
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    async fn nproxy(&self, app: &TestApp, arguments: &[&str]) -> Finished {
        let files = self.files();
        consult(app, arguments, &[("DATABASE_URL", &self.database.url), ("STORAGE_DIR", files.to_str().unwrap())]).await
    }

    async fn restore(&self, app: &TestApp, file: &Path, identity: &Path, more: &[&str]) -> Finished {
        let (file, identity) = (format!("file:{}", file.display()), format!("identity:{}", identity.display()));
        self.nproxy(app, &[&["task", "restore", &file, &identity], more].concat()).await
    }
}

/// Every row of every table, as text, but for what moves by itself.
async fn everything(url: &str) -> Vec<(String, i64)> {
    let db: DatabaseConnection = Database::connect(url).await.unwrap();
    let mut rows = Vec::new();
    for table in [
        "users",
        "sessions",
        "conversations",
        "generations",
        "runs",
        "outputs",
        "assets",
        "allowances",
        "holds",
        "ledger_entries",
        "provider_keys",
        "storage_objects",
        "seaql_migrations",
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
        rows.push((table.to_owned(), row.try_get_by_index(0).unwrap()));
    }
    db.close().await.unwrap();
    rows
}

/// From now on nothing is written behind the test's back, by the timetable either.
async fn still(app: &mut TestApp) {
    app.idle().await;
    app.rest().await;
}

async fn texts(url: &str, sql: &str) -> Vec<String> {
    let db: DatabaseConnection = Database::connect(url).await.unwrap();
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    let texts = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    db.close().await.unwrap();
    texts
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// A backup brings everything to another machine, where the doctor finds nothing wrong; on its way nobody reads it.
#[tokio::test]
async fn what_was_backed_up_comes_back() {
    // From a folder: what lies in a bucket stays there.
    let mut app = TestApp::with(Setup { s3: false, ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    app.sign_in("ada").await.make("three boats", &[("batch_size", "2")]).await;
    still(&mut app).await;
    let keeper = Keeper::appoint(&app).await;

    let taken = keeper.take(&app).await;
    assert_eq!(taken["objects"], 4, "two pictures and their thumbnails");
    let file = only_file(&keeper.dir);
    assert_eq!(taken["backup"]["path"], file.to_str().unwrap());
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1"));
    for clear in [&b"ada@example.com"[..], b"three boats", b"SQLite format 3", b"PGDMP"] {
        assert!(!bytes.windows(clear.len()).any(|window| window == clear), "{}", String::from_utf8_lossy(clear));
    }

    let there = Elsewhere::find().await;
    let restored = there.restore(&app, &file, &keeper.identity, &[]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.said());
    assert_eq!(everything(&there.database.url).await, everything(app.database_url()).await);
    for name in app.stored() {
        let (here, came) = (app.files().join(&name), there.files().join(&name));
        assert_eq!(std::fs::read(here).unwrap(), std::fs::read(came).unwrap(), "{}", name.display());
    }
    let told = "SELECT CAST(actor_type AS TEXT) FROM activities WHERE activity_type = 'restore_backup'";
    assert_eq!(texts(&there.database.url, told).await, ["cli"], "the audit log says so, once");
    let log = "SELECT CAST(COUNT(*) AS TEXT) FROM activities";
    let (here, came) = (texts(app.database_url(), log).await, texts(&there.database.url, log).await);
    assert_eq!(here[0].parse::<i64>().unwrap() + 1, came[0].parse::<i64>().unwrap());
    let healthy = there.nproxy(&app, &["doctor"]).await;
    assert_eq!(healthy.code, Some(0), "{}", healthy.said());

    // Not over what is there, unless somebody says so.
    let again = there.restore(&app, &file, &keeper.identity, &[]).await;
    assert_eq!(again.code, Some(1));
    assert!(again.said().contains("confirm:yes replaces all of them"), "{}", again.said());
    let confirmed = there.restore(&app, &file, &keeper.identity, &["confirm:yes"]).await;
    assert_eq!(confirmed.code, Some(0), "{}", confirmed.said());
    assert_eq!(everything(&there.database.url).await, everything(app.database_url()).await);
    there.database.drop().await;
    app.finish().await;
}

/// A backup that was changed, cut, or sealed for somebody else changes nothing.
#[tokio::test]
async fn what_does_not_open_changes_nothing() {
    let app = TestApp::start().await;
    let keeper = Keeper::appoint(&app).await;
    keeper.take(&app).await;
    let file = only_file(&keeper.dir);
    let bytes = std::fs::read(&file).unwrap();
    let there = Elsewhere::find().await;
    let whole = there.restore(&app, &file, &keeper.identity, &[]).await;
    assert_eq!(whole.code, Some(0), "{}", whole.said());
    let before = everything(&there.database.url).await;

    let other = there.folder.path().join("other.txt");
    let made = app.nproxy(&["task", "backup_identity", &format!("file:{}", other.display())]).await;
    assert_eq!(made.code, Some(0), "{}", made.said());
    let taken = app.nproxy(&["task", "backup_identity", &format!("file:{}", other.display())]).await;
    assert_eq!(taken.code, Some(1), "an identity is never written over");

    let spoiled = there.folder.path().join("spoiled.age");
    let mut changed = bytes.clone();
    let middle = bytes.len() / 2;
    changed[middle] ^= 1;
    for (content, identity) in [
        (changed, &keeper.identity),
        (bytes[..middle].to_vec(), &keeper.identity),
        (bytes[..bytes.len() - 1].to_vec(), &keeper.identity),
        (bytes.clone(), &other),
    ] {
        std::fs::write(&spoiled, content).unwrap();
        let refused = there.restore(&app, &spoiled, identity, &["confirm:yes"]).await;
        assert_eq!(refused.code, Some(1), "{}", refused.said());
        assert_eq!(everything(&there.database.url).await, before);
    }
    let nothing = there.restore(&app, &there.folder.path().join("none.age"), &keeper.identity, &["confirm:yes"]).await;
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.said().contains("none.age"), "{}", nothing.said());
    there.database.drop().await;
    app.finish().await;
}

/// The database alone, for hooks that copy a folder: as it was at one moment, and back.
#[tokio::test]
async fn a_snapshot_comes_back_too() {
    let mut app = TestApp::start().await;
    still(&mut app).await;
    let path = app.folder.path().join("copy");
    let argument = format!("snapshot:{}", path.display());
    let taken = app.nproxy(&["task", "backup", &argument]).await;
    assert_eq!(taken.code, Some(0), "{}", taken.said());
    let twice = app.nproxy(&["task", "backup", &argument]).await;
    assert_eq!(twice.code, Some(1), "nothing is written over");

    let there = Elsewhere::find().await;
    let restored = there.nproxy(&app, &["task", "restore", &argument]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.said());
    assert_eq!(everything(&there.database.url).await, everything(app.database_url()).await);
    there.database.drop().await;
    app.finish().await;
}

/// A database that somebody uses is not exchanged under their feet.
#[tokio::test]
async fn a_database_in_use_stays() {
    if is_postgres() {
        return;
    }
    let app = TestApp::start().await;
    let path = app.folder.path().join("copy");
    let argument = format!("snapshot:{}", path.display());
    assert_eq!(app.nproxy(&["task", "backup", &argument]).await.code, Some(0));
    let refused = app.nproxy(&["task", "restore", &argument, "confirm:yes"]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.said());
    assert!(refused.said().contains("stop nproxy first"), "{}", refused.said());
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 5);
    app.finish().await;
}

/// Old backups go, the doctor minds the age of the last, and without a recipient none is taken.
#[tokio::test]
async fn backups_are_looked_after() {
    let app = TestApp::start().await;
    let keeper = Keeper::appoint(&app).await;
    app.idle().await;

    let fresh = consult(&app, &["doctor"], &keeper.settings()).await;
    assert!(fresh.out.contains("ok    surroundings/backups  none was taken yet"), "{}", fresh.said());
    app.set_time("users", "created_at", Utc::now() - TimeDelta::hours(27), "id = 1").await;
    let none = consult(&app, &["doctor"], &keeper.settings()).await;
    assert_eq!(none.code, Some(1));
    assert!(none.out.contains("backups: none was taken yet"), "{}", none.out);

    std::fs::create_dir_all(&keeper.dir).unwrap();
    let old = |day: &str| keeper.dir.join(format!("nproxy-2025{day}T024000Z.backup.age"));
    for day in ["0101", "0102", "0103", "0104", "0105", "0106", "0107", "0108", "0109", "0110"] {
        std::fs::write(old(day), "old").unwrap();
    }
    let mut settings = keeper.settings();
    settings.push(("BACKUP_KEEP_DAILY", "3"));
    settings.push(("BACKUP_KEEP_WEEKLY", "2"));
    let taken = consult(&app, &["task", "backup"], &settings).await;
    assert_eq!(taken.code, Some(0), "{}", taken.said());
    assert!(taken.out.contains("8 old ones removed"), "{}", taken.out);
    assert!(old("0110").exists() && old("0109").exists() && !old("0105").exists());
    let well = consult(&app, &["doctor"], &keeper.settings()).await;
    assert!(well.out.contains("ok    surroundings/backups  the last one is 0 hours old"), "{}", well.out);
    app.set_time("backups", "taken_at", Utc::now() - TimeDelta::hours(30), "id > 0").await;
    let late = consult(&app, &["doctor"], &keeper.settings()).await;
    assert_eq!(late.code, Some(1));
    assert!(late.out.contains("backups: the last one is 30 hours old"), "{}", late.out);
    assert!(late.out.contains("mend: nproxy task backup says why"), "{}", late.out);

    let in_the_clear = consult(&app, &["task", "backup"], &keeper.settings()[..1]).await;
    assert_eq!(in_the_clear.code, Some(1));
    assert!(in_the_clear.said().contains("BACKUP_RECIPIENT must be too"), "{}", in_the_clear.said());
    let nobody = consult(&app, &["task", "backup"], &[keeper.settings()[0], ("BACKUP_RECIPIENT", "age1nobody")]).await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.said().contains("is no recipient of age"), "{}", nobody.said());
    let off = consult(&app, &["task", "backup"], &[]).await;
    assert_eq!(off.code, Some(1));
    assert!(off.said().contains("backups are off: set BACKUP_DIR"), "{}", off.said());
    app.finish().await;
}

/// F55: how old the last backup is stands on the dashboard, on the health page and in an alert, which is over with the next.
#[tokio::test]
async fn the_age_of_the_last_backup_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (_, recipient) = backups::new_identity();
    let backup = json!({ "dir": dir.path(), "recipient": recipient, "keep_daily": 7, "keep_weekly": 4 });
    let app = TestApp::with(Setup { backup, ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    app.sign_in("ada").await.make("three boats", &[("batch_size", "2")]).await;
    let cy = app.sign_in_staff("cy").await;
    let tile = async |label: &str| {
        let page = cy.get("/admin").await.html();
        let tiles = page.texts("ul[aria-label='Figures'] > li");
        tiles.into_iter().find_map(|tile| tile.strip_prefix(label).map(str::to_owned)).unwrap()
    };
    let line = async || {
        let page = cy.get("/admin/health").await.html();
        let lines = page.texts("#parts li");
        lines.into_iter().find(|line| line.contains("Backups")).unwrap()
    };
    let open = "SELECT COUNT(*) FROM alerts WHERE kind = 'backup_old' AND closed_at IS NULL";

    assert!(tile("Last backup").await.contains("the first is due tonight"), "{}", tile("Last backup").await);
    assert!(tile("Stored").await.contains("not counted yet"));
    alerts::look(&app.ctx).await.unwrap();
    assert_eq!(app.count(open).await, 0, "there was no night yet");

    backups::take(&app.ctx).await.unwrap();
    app.task("object_sweep", &[]).await.unwrap();
    assert!(tile("Last backup").await.contains("4 files"), "{}", tile("Last backup").await);
    let files = app.files();
    let stored: u64 = app.stored().iter().map(|name| std::fs::metadata(files.join(name)).unwrap().len()).sum();
    let size = app.count("SELECT bytes FROM store_sizes").await;
    assert_eq!(size, i64::try_from(stored).unwrap(), "to the byte, thumbnails too");
    assert!(tile("Stored").await.contains("4 files"), "{}", tile("Stored").await);
    assert!(tile("Room on disk").await.contains("of "));
    assert!(line().await.contains("taken 0 hours ago"), "{}", line().await);

    app.set_time("backups", "taken_at", Utc::now() - TimeDelta::hours(30), "id > 0").await;
    assert!(tile("Last backup").await.contains("30 h ago"), "{}", tile("Last backup").await);
    assert!(line().await.contains("Down") && line().await.contains("30 hours ago"), "{}", line().await);
    for _ in 0..2 {
        alerts::look(&app.ctx).await.unwrap();
        assert_eq!(app.count(open).await, 1);
    }
    let alert = alerts::open(&app.ctx.db, Some(alerts::Kind::BackupOld)).await.unwrap().remove(0);
    assert_eq!(alert.title(), "The last backup is old");
    backups::take(&app.ctx).await.unwrap();
    assert_eq!(app.count(open).await, 0, "over with the next one");
    app.finish().await;
}

/// What ONCE does around a copy of `/storage`, by the hooks in the image: the copy is whole.
#[tokio::test]
async fn the_hooks_make_a_copy_whole() {
    let mut app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sign_in("ada").await.make("three boats", &[]).await;
    still(&mut app).await;
    let storage = app.folder.path().join("storage");
    std::fs::create_dir(&storage).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_nproxy")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let hook = async |name: &str, database: &str| {
        let mut command = tokio::process::Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks").join(name));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("LOCO_ENV", "test").env("SANDBOX", "off");
        command.env("PATH", &path).env("STORAGE", &storage).env("DATABASE_URL", database);
        Finished::of(&mut command).await
    };
    for _ in 0..2 {
        let copied = hook("pre-backup", app.database_url()).await;
        assert_eq!(copied.code, Some(0), "{}", copied.said());
        assert!(storage.join("snapshot").exists());
    }
    let there = Elsewhere::find().await;
    let restored = hook("post-restore", &there.database.url).await;
    assert_eq!(restored.code, Some(0), "{}", restored.said());
    assert_eq!(everything(&there.database.url).await, everything(app.database_url()).await);
    assert!(!storage.join("snapshot").exists(), "and it is gone");
    let nothing = hook("post-restore", &there.database.url).await;
    assert_eq!(nothing.code, Some(0), "without one there is nothing to do: {}", nothing.said());
    let dockerfile = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Dockerfile")).unwrap();
    for line in ["COPY hooks /hooks", "VOLUME /storage", "STORAGE_DIR=/storage/files", "postgresql-client"] {
        assert!(dockerfile.contains(line), "{line}");
    }
    there.database.drop().await;
    app.finish().await;
}
