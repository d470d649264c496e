//! How a rule is asked.

use durable_jobs::{Schedule, entity::tick};
use loco_rs::Result;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryResult, Statement};

use super::{
    super::{activities, job_queue, vault::rotation},
    Finding, Ground, NAMED,
    rules::Look,
    statement,
};

/// A tick that passed so long ago should have become a job.
const TICK_IS_LATE: chrono::TimeDelta = chrono::TimeDelta::minutes(3);

/// The rows that break a rule: a bounded number of them, one more than is shown.
pub(super) async fn look<C: ConnectionTrait>(ground: &Ground<'_, C>, look: &Look) -> Result<Vec<Finding>> {
    match look {
        Look::Rows(sql) => rows(ground, sql).await,
        Look::Each { sqlite, postgres } => match ground.db.get_database_backend() {
            DbBackend::Postgres => rows(ground, postgres).await,
            _ => rows(ground, sqlite).await,
        },
        Look::Chain => {
            let proof = activities::check::run(ground.db, None).await?;
            let row = |id| if id == 0 { "the audit log".to_owned() } else { format!("activity {id}") };
            Ok(proof.findings.into_iter().map(|broken| Finding::new(row(broken.id), broken.says)).collect())
        }
        Look::Seals => seals(ground).await,
        Look::References => references(ground.db).await,
        Look::Timetable => timetable(ground).await,
        Look::GivenUp => given_up(ground.db).await,
    }
}

async fn rows<C: ConnectionTrait>(ground: &Ground<'_, C>, sql: &str) -> Result<Vec<Finding>> {
    let bounded = format!("SELECT row_name, says FROM ({sql}) AS found ORDER BY row_name LIMIT {}", NAMED + 1);
    let found = ground.db.query_all_raw(statement(ground.db.get_database_backend(), &bounded, ground.now)?).await?;
    found.iter().map(|row| Ok(Finding::new(text(row, "row_name")?, text(row, "says")?))).collect()
}

fn text(row: &QueryResult, column: &str) -> std::result::Result<String, DbErr> {
    row.try_get("", column)
}

async fn seals<C: ConnectionTrait>(ground: &Ground<'_, C>) -> Result<Vec<Finding>> {
    let all = rotation::all(ground.db).await?;
    let wrong = all.iter().filter_map(|row| match ground.vault.open(&row.place(), &row.text) {
        Err(error) => Some(Finding::new(row.name(), error.to_string())),
        Ok(_) if ground.vault.is_current(&row.text) => None,
        Ok(_) => Some(Finding::new(row.name(), "is sealed under the key before: rotation is not done")),
    });
    Ok(wrong.take(NAMED + 1).collect())
}

/// `SQLite` is asked itself; on `PostgreSQL` each reference of the schema becomes a question.
async fn references(db: &impl ConnectionTrait) -> Result<Vec<Finding>> {
    if db.get_database_backend() != DbBackend::Postgres {
        let broken = Statement::from_string(db.get_database_backend(), "PRAGMA foreign_key_check");
        let broken = db.query_all_raw(broken).await?;
        let name = |row: &QueryResult| -> std::result::Result<Finding, DbErr> {
            let (table, id): (String, Option<i64>) = (row.try_get("", "table")?, row.try_get("", "rowid")?);
            let parent: String = row.try_get("", "parent")?;
            Ok(Finding::new(
                format!("{table} {}", id.unwrap_or_default()),
                format!("points at a row of {parent} that is not there"),
            ))
        };
        return Ok(broken.iter().take(NAMED + 1).map(name).collect::<std::result::Result<_, _>>()?);
    }
    let all = "SELECT c.relname AS child, a.attname AS child_column, p.relname AS parent, b.attname AS parent_column
               FROM pg_constraint k
                    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
                    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
                    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
               WHERE k.contype = 'f' AND CARDINALITY(k.conkey) = 1
                 AND k.connamespace = CAST(current_schema() AS regnamespace)
               ORDER BY 1, 2";
    let mut findings = Vec::new();
    for reference in db.query_all_raw(Statement::from_string(DbBackend::Postgres, all)).await? {
        let (child, column) = (text(&reference, "child")?, text(&reference, "child_column")?);
        let (parent, key) = (text(&reference, "parent")?, text(&reference, "parent_column")?);
        let sql = format!(
            "SELECT '{child} ' || c.id AS row_name FROM \"{child}\" c LEFT JOIN \"{parent}\" p ON p.\"{key}\" = c.\"{column}\" \
             WHERE c.\"{column}\" IS NOT NULL AND p.\"{key}\" IS NULL LIMIT {}",
            NAMED + 1
        );
        for row in db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await? {
            findings
                .push(Finding::new(text(&row, "row_name")?, format!("points at a row of {parent} that is not there")));
        }
        if findings.len() > NAMED {
            break;
        }
    }
    Ok(findings)
}

async fn given_up(db: &impl ConnectionTrait) -> Result<Vec<Finding>> {
    let given_up = job_queue::given_up(db).await?;
    let named = given_up.into_iter().take(NAMED + 1).map(|job| {
        let reason = job.reason.as_deref().unwrap_or("no reason");
        Finding::new(format!("job {}", job.id), format!("{} after {} attempts: {reason}", job.class, job.attempts))
    });
    Ok(named.collect())
}

async fn timetable<C: ConnectionTrait>(ground: &Ground<'_, C>) -> Result<Vec<Finding>> {
    let ticks = tick::Entity::find().all(ground.db).await?;
    let mut findings = Vec::new();
    for (name, cron) in ground.timetable {
        let row = format!("entry {name}");
        let Ok(schedule) = Schedule::parse(cron) else {
            findings.push(Finding::new(row, format!("its schedule {cron:?} cannot be read")));
            continue;
        };
        let due = schedule.latest(ground.now - TICK_IS_LATE);
        match (ticks.iter().find(|tick| tick.name == *name), due) {
            (None, _) => findings.push(Finding::new(row, "has never been seen by a worker")),
            (Some(tick), Some(due)) if tick.last_tick < due => {
                findings.push(Finding::new(row, format!("should have run at {due}, last ran at {}", tick.last_tick)));
            }
            (Some(_), _) => {}
        }
    }
    Ok(findings)
}
