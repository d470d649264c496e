//! A doctor that was never shown an illness is not believed. Into a scratch database goes a story in which every rule has
//! something to look at; then it is broken in every way there is a rule against, one at a time, and the doctor must name
//! the row. A rule that nothing breaks fails the selftest.

mod breaks;
mod story;

use std::collections::BTreeSet;

use loco_rs::{Error, Result, app::AppContext};
use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    prelude::DateTimeUtc,
};
use serde::Serialize;
use tempfile::TempDir;

use super::{Check, Ground, ask, rules, statement};
use crate::{
    context::Nproxy,
    models::{begin, clock, vault::Vault},
};

use breaks::{Break, Sql};

/// What the selftest found out.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub ok: bool,
    pub rules: usize,
    /// Ways in which the story was broken.
    pub breaks: usize,
    /// Rules and breaks that did not do what they should.
    pub failures: Vec<String>,
}

/// # Errors
/// The scratch database cannot be made.
pub async fn run(ctx: &AppContext) -> Result<Outcome> {
    let scratch = Scratch::create(ctx).await?;
    let outcome = try_all(ctx, &scratch.db).await;
    scratch.remove().await?;
    outcome
}

/// What an entry of the story's timetable is called.
const ENTRY: &str = "a_tick";

async fn try_all(ctx: &AppContext, db: &DatabaseConnection) -> Result<Outcome> {
    let parts = ctx.parts();
    let now = clock::now(db).await?;
    let patient = Patient { vault: parts.vault(), timetable: vec![(ENTRY.into(), "0 * * * * *".into())], now };
    let txn = begin(db).await?;
    for sql in story::lines(parts.vault())? {
        patient.run(&txn, &sql).await?;
    }
    story::history(&txn).await?;
    txn.commit().await?;

    let mut failures = Vec::new();
    let all = rules::all();
    for check in patient.examine(db).await.iter().filter(|check| !check.ok) {
        failures.push(format!("the story itself fails {}: {:?}", check.name, check.findings));
    }
    let breaks = breaks::all();
    if failures.is_empty() {
        for one in &breaks {
            let txn = begin(db).await?;
            failures.extend(patient.suffer(&txn, one).await?);
            txn.rollback().await?;
        }
    }
    let shown: BTreeSet<_> = breaks.iter().map(|one| one.rule).collect();
    let unshown = all.iter().filter(|(_, rule)| !shown.contains(rule.name));
    failures.extend(unshown.map(|(_, rule)| format!("nothing breaks the rule {}", rule.name)));
    let named: BTreeSet<_> = all.iter().map(|(_, rule)| rule.name).collect();
    failures.extend(shown.difference(&named).map(|name| format!("there is no rule {name} to break")));
    Ok(Outcome { ok: failures.is_empty(), rules: all.len(), breaks: breaks.len(), failures })
}

/// The scratch database under the doctor's eyes.
struct Patient<'a> {
    vault: &'a Vault,
    timetable: Vec<(String, String)>,
    now: DateTimeUtc,
}

impl Patient<'_> {
    async fn examine<C: ConnectionTrait>(&self, db: &C) -> Vec<Check> {
        let ground = Ground { db, vault: self.vault, timetable: &self.timetable, now: self.now };
        let mut checks = Vec::new();
        for (area, rule) in rules::all() {
            checks.push(ask(&ground, area, rule).await);
        }
        checks
    }

    /// Breaks the story in one way; what the doctor did not see, or saw too much.
    async fn suffer(&self, txn: &DatabaseTransaction, one: &Break) -> Result<Vec<String>> {
        let name = one.rule;
        let changed = match &one.sql {
            Sql::Rows(lines) => {
                let guards = Guards::lower(txn).await?;
                let changed = self.run_all(txn, lines).await;
                if changed.is_ok() {
                    guards.raise(txn).await?;
                }
                changed
            }
            Sql::Schema { sqlite, postgres } => {
                let lines = if txn.get_database_backend() == DbBackend::Postgres { postgres } else { sqlite };
                if lines.is_empty() {
                    return Ok(Vec::new());
                }
                // Changing the schema counts no rows.
                self.run_all(txn, lines).await.map(|_| 1)
            }
        };
        match changed {
            Ok(0) => return Ok(vec![format!("{name}: the break of {:?} changes nothing", one.row)]),
            Err(error) => return Ok(vec![format!("{name}: the break of {:?} does not work: {error}", one.row)]),
            Ok(_) => {}
        }
        let checks = self.examine(txn).await;
        let failed: BTreeSet<_> = checks.iter().filter(|check| !check.ok).map(|check| check.name).collect();
        let due: BTreeSet<_> = one.with.iter().copied().chain([name]).collect();
        let mut failures = Vec::new();
        let found =
            checks.iter().find(|check| check.name == name).map(|check| check.findings.as_slice()).unwrap_or_default();
        if !found.iter().any(|finding| finding.row == one.row) {
            failures.push(format!("{name}: should name {:?}, names {found:?}", one.row));
        }
        if failed != due {
            failures.push(format!("{name}: breaking {:?} should fail {due:?}, fails {failed:?}", one.row));
        }
        Ok(failures)
    }

    async fn run_all(&self, txn: &DatabaseTransaction, lines: &[String]) -> Result<u64> {
        let mut changed = 0;
        for line in lines {
            changed += self.run(txn, line).await?;
        }
        Ok(changed)
    }

    async fn run(&self, txn: &DatabaseTransaction, sql: &str) -> Result<u64> {
        let statement = statement(txn.get_database_backend(), sql, self.now)?;
        let changed = txn.execute_raw(statement).await;
        changed.map(|done| done.rows_affected()).map_err(|error| Error::Message(format!("{error}: {sql}")))
    }
}

/// What keeps history from being edited, out of the way while a break edits it.
enum Guards {
    /// The statements that make them again.
    Sqlite(Vec<String>),
    /// The tables they stand on.
    Postgres(Vec<String>),
}

impl Guards {
    async fn lower(txn: &DatabaseTransaction) -> Result<Self> {
        if txn.get_database_backend() == DbBackend::Postgres {
            let tables = texts(
                txn,
                "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
                 WHERE NOT t.tgisinternal AND c.relnamespace = CAST(current_schema() AS regnamespace)",
            )
            .await?;
            for table in &tables {
                txn.execute_unprepared(&format!("ALTER TABLE \"{table}\" DISABLE TRIGGER USER")).await?;
            }
            return Ok(Self::Postgres(tables));
        }
        txn.execute_unprepared("PRAGMA defer_foreign_keys = ON").await?;
        let made = texts(txn, "SELECT sql FROM sqlite_master WHERE type = 'trigger'").await?;
        for name in texts(txn, "SELECT name FROM sqlite_master WHERE type = 'trigger'").await? {
            txn.execute_unprepared(&format!("DROP TRIGGER \"{name}\"")).await?;
        }
        Ok(Self::Sqlite(made))
    }

    async fn raise(self, txn: &DatabaseTransaction) -> Result<()> {
        let lines = match self {
            Self::Sqlite(made) => made,
            Self::Postgres(tables) => {
                tables.iter().map(|table| format!("ALTER TABLE \"{table}\" ENABLE TRIGGER USER")).collect()
            }
        };
        for line in lines {
            txn.execute_unprepared(&line).await?;
        }
        Ok(())
    }
}

async fn texts(db: &impl ConnectionTrait, sql: &str) -> Result<Vec<String>> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<std::result::Result<_, _>>()?)
}

/// An empty database beside the real one, of the same kind: a file of its own, or a schema of its own.
struct Scratch {
    db: DatabaseConnection,
    schema: Option<(DatabaseConnection, String)>,
    _folder: TempDir,
}

impl Scratch {
    async fn create(ctx: &AppContext) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (uri, schema) = match ctx.db.get_database_backend() {
            DbBackend::Postgres => {
                let name = format!("nproxy_selftest_{}", uuid::Uuid::new_v4().simple());
                ctx.db.execute_unprepared(&format!("CREATE SCHEMA {name}")).await?;
                (ctx.config.database.uri.clone(), Some((ctx.db.clone(), name)))
            }
            _ => (format!("sqlite://{}?mode=rwc", folder.path().join("selftest.sqlite3").display()), None),
        };
        let mut options = ConnectOptions::new(uri);
        options.max_connections(2).sqlx_logging(false);
        if let Some((_, name)) = &schema {
            options.set_schema_search_path(name.clone());
        }
        let scratch = Self { db: Database::connect(options).await?, schema, _folder: folder };
        match Migrator::up(&scratch.db, None).await {
            Ok(()) => Ok(scratch),
            Err(error) => {
                scratch.remove().await?;
                Err(error.into())
            }
        }
    }

    async fn remove(self) -> Result<()> {
        self.db.close().await?;
        if let Some((db, name)) = self.schema {
            db.execute_unprepared(&format!("DROP SCHEMA {name} CASCADE")).await?;
        }
        Ok(())
    }
}
