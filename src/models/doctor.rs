//! What must be true of a healthy installation, asked of the installation itself. Every rule is one declaration: its name,
//! how rows that break it are found, and the command that mends them. `selftest` shows each of them that it can fail.

mod looks;
mod rules;
pub mod selftest;
mod surroundings;

use loco_rs::{Result, app::AppContext};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, Value, prelude::DateTimeUtc};
use serde::Serialize;

use super::{clock, vault::Vault};
use crate::context::Nproxy;

use rules::Rule;

/// Rows that one rule names; what is more is only said to be there.
const NAMED: usize = 20;

/// A row, or a part of the installation, that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `user 7`, `job 12`, `key main`.
    pub row: String,
    /// What is, and what should be.
    pub says: String,
}

impl Finding {
    fn new(row: impl Into<String>, says: impl Into<String>) -> Self {
        Self { row: row.into(), says: says.into() }
    }
}

/// One question and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `ledger`, `jobs`, `surroundings`, …
    pub area: &'static str,
    /// Stable name of the rule.
    pub name: &'static str,
    pub ok: bool,
    /// What was seen where nothing is wrong: a version, a number.
    pub says: String,
    pub findings: Vec<Finding>,
    /// There are more rows than are named.
    pub more: bool,
    /// The command that mends it, or the first thing to do.
    pub mend: &'static str,
}

/// Everything that was asked.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub ok: bool,
    pub checks: Vec<Check>,
}

impl Report {
    fn of(checks: Vec<Check>) -> Self {
        Self { ok: checks.iter().all(|check| check.ok), checks }
    }

    /// Those that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.ok)
    }
}

impl Check {
    fn judged(area: &'static str, name: &'static str, mend: &'static str, findings: Vec<Finding>) -> Self {
        let more = findings.len() > NAMED;
        let findings: Vec<_> = findings.into_iter().take(NAMED).collect();
        Self { area, name, ok: findings.is_empty(), says: String::new(), findings, more, mend }
    }

    fn saying(mut self, says: impl Into<String>) -> Self {
        self.says = says.into();
        self
    }
}

/// What the rules look at.
struct Ground<'a, C> {
    db: &'a C,
    vault: &'a Vault,
    /// Names and schedules of the timetable.
    timetable: &'a [(String, String)],
    now: DateTimeUtc,
}

/// Everything: the rules of the data and what surrounds them. Changes nothing but the notes that asking a proxy leaves.
///
/// # Errors
/// None of its own: what does not answer is a finding.
pub async fn examine(ctx: &AppContext) -> Result<Report> {
    let mut checks = surroundings::examine(ctx).await;
    // On another schema the rules would only say that they do not fit.
    if checks.iter().all(|check| check.ok || !["database", "migrations"].contains(&check.name)) {
        checks.extend(books(ctx, &ctx.db, Scope::Everything).await?);
    }
    Ok(Report::of(checks))
}

/// The rules of the data alone, without what depends on running processes: what a restored backup must satisfy.
///
/// # Errors
/// The database does not answer.
pub async fn examine_books(ctx: &AppContext, db: &DatabaseConnection) -> Result<Report> {
    Ok(Report::of(books(ctx, db, Scope::Still).await?))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Everything,
    /// What does not change by waiting.
    Still,
}

async fn books(ctx: &AppContext, db: &DatabaseConnection, scope: Scope) -> Result<Vec<Check>> {
    let (parts, timetable) = (ctx.parts(), timetable(ctx));
    let ground = Ground { db, vault: parts.vault(), timetable: &timetable, now: clock::now(db).await? };
    let mut checks = Vec::new();
    for (area, rule) in rules::all() {
        if scope == Scope::Everything || !rule.moves {
            checks.push(ask(&ground, area, rule).await);
        }
    }
    Ok(checks)
}

async fn ask<C: ConnectionTrait>(ground: &Ground<'_, C>, area: &'static str, rule: Rule) -> Check {
    let found = looks::look(ground, &rule.look).await;
    let findings = found.unwrap_or_else(|error| vec![Finding::new(rule.name, format!("could not be asked: {error}"))]);
    Check::judged(area, rule.name, rule.mend, findings)
}

fn timetable(ctx: &AppContext) -> Vec<(String, String)> {
    let parts = ctx.parts();
    let jobs = parts.config().scheduler.iter().flat_map(|scheduler| &scheduler.jobs);
    let mut entries: Vec<_> = jobs.map(|(name, entry)| (name.clone(), entry.cron.clone())).collect();
    entries.sort();
    entries
}

/// `AGO(seconds)` stands for a moment before `now`, in the words of both databases; `AGO(-60)` is a minute ahead.
fn statement(backend: DbBackend, sql: &str, now: DateTimeUtc) -> std::result::Result<Statement, DbErr> {
    const MARK: &str = "AGO(";
    let (mut text, mut values, mut rest) = (String::new(), Vec::<Value>::new(), sql);
    while let Some((before, after)) = rest.split_once(MARK) {
        let unread = || DbErr::Custom(format!("{MARK}…) takes seconds: {after}"));
        let (seconds, after) = after.split_once(')').ok_or_else(unread)?;
        let seconds: i64 = seconds.parse().map_err(|_| unread())?;
        values.push((now - chrono::TimeDelta::seconds(seconds)).into());
        text.push_str(before);
        text.push_str(&match backend {
            DbBackend::Postgres => format!("${}", values.len()),
            _ => "?".to_owned(),
        });
        rest = after;
    }
    text.push_str(rest);
    Ok(Statement::from_sql_and_values(backend, text, values))
}
