//! What the processes leave in the database, and what must be true of it.
//!
//! `targets` are the changes that needed a job, `effects` what handlers did, `moves` every change of a job's state, noted
//! by a trigger: nothing here trusts what a process says about itself.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::support::Bench;

/// Each answers the ids that break it.
const RULES: [(&str, &str); 15] = [
    ("a committed change has no job", "SELECT t.id FROM targets t LEFT JOIN jobs j ON j.id = t.job WHERE j.id IS NULL"),
    ("a job has no committed change", "SELECT j.id FROM jobs j LEFT JOIN targets t ON t.job = j.id WHERE t.id IS NULL"),
    ("two jobs for one change", "SELECT job AS id FROM targets GROUP BY job HAVING COUNT(*) > 1"),
    (
        "a job is not done",
        "SELECT t.id FROM targets t JOIN jobs j ON j.id = t.job \
         WHERE t.kind NOT IN ('hopeless', 'aborts', 'malformed') AND j.state <> 'done'",
    ),
    (
        "a job that cannot succeed is not dead",
        "SELECT t.id FROM targets t JOIN jobs j ON j.id = t.job \
         WHERE t.kind IN ('hopeless', 'aborts', 'malformed') AND j.state <> 'dead'",
    ),
    (
        "a dead job does not say why",
        "SELECT t.id FROM targets t JOIN jobs j ON j.id = t.job WHERE j.state = 'dead' AND NOT CASE t.kind \
         WHEN 'malformed' THEN COALESCE(j.last_error, '') LIKE 'malformed args%' \
         WHEN 'aborts' THEN COALESCE(j.last_error, '') LIKE 'the worker died in attempt 2 of 2' \
         ELSE COALESCE(j.last_error, '') LIKE '%no hope%' \
         OR COALESCE(j.last_error, '') LIKE 'the worker died in attempt 3 of 3' END",
    ),
    (
        "an effect is missing",
        "SELECT t.id FROM targets t JOIN jobs j ON j.id = t.job WHERE j.state = 'done' \
         AND (SELECT COUNT(DISTINCT e.step) FROM effects e WHERE e.target = t.id) < 2",
    ),
    ("an effect was applied twice", "SELECT target AS id FROM effects GROUP BY target, step HAVING COUNT(*) > 1"),
    ("an effect of nothing", "SELECT e.id FROM effects e LEFT JOIN targets t ON t.id = e.target WHERE t.id IS NULL"),
    (
        "an effect that cannot be",
        "SELECT t.id FROM effects e JOIN targets t ON t.id = e.target WHERE t.kind = 'malformed' \
         OR (t.kind IN ('hopeless', 'aborts') AND e.step = 2)",
    ),
    ("more attempts than allowed", "SELECT id FROM jobs WHERE attempts > max_attempts"),
    ("a job is held by nobody", "SELECT id FROM jobs WHERE state = 'running'"),
    (
        "a job was ended by a process that did not hold it",
        "SELECT m.job AS id FROM moves m WHERE m.was = 'running' AND m.uncounted = 0 \
         AND (m.became = 'done' OR m.error LIKE '%not yet%' OR m.error LIKE '%no hope%') \
         AND NOT EXISTS (SELECT 1 FROM endings e WHERE e.job = m.job AND m.owner LIKE '%:' || CAST(e.pid AS TEXT) || ':%' \
         AND (e.ok = 1) = (m.became = 'done') AND e.at <= m.at + 5)",
    ),
    (
        "a lease was taken before it was over",
        "SELECT job AS id FROM moves WHERE was = 'running' AND became <> 'done' AND uncounted = 0 \
         AND error LIKE 'the worker died%' AND lease_left > 5",
    ),
    ("a finished job came back", "SELECT job AS id FROM moves WHERE was IN ('done', 'dead')"),
];

/// Jobs of a class that nobody knows yet.
pub const NOT_PARKED: &str = "SELECT t.id FROM targets t JOIN jobs j ON j.id = t.job WHERE t.kind = 'unknown' \
                              AND NOT (j.state = 'queued' AND COALESCE(j.last_error, '') = 'unknown class')";

/// When a process could not be expected to keep its leases.
#[derive(Copy, Clone, Debug)]
pub struct Absence {
    pub pid: u32,
    pub from: i64,
    pub until: i64,
}

/// Milliseconds since 1970, as the trigger counts them.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The tables and the trigger.
pub async fn prepare(bench: &Bench) {
    let id = if bench.is_postgres() {
        "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    } else {
        "id INTEGER PRIMARY KEY AUTOINCREMENT"
    };
    bench.sql(&format!("CREATE TABLE targets ({id}, kind TEXT NOT NULL, job BIGINT)")).await;
    bench
        .sql(&format!(
            "CREATE TABLE effects ({id}, target BIGINT NOT NULL, step BIGINT NOT NULL, attempt BIGINT NOT NULL, \
             pid BIGINT NOT NULL)"
        ))
        .await;
    bench
        .sql(&format!(
            "CREATE TABLE moves ({id}, job BIGINT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL, owner TEXT, \
             uncounted BIGINT NOT NULL, error TEXT, lease_left BIGINT, at BIGINT NOT NULL)"
        ))
        .await;
    bench
        .sql(&format!(
            "CREATE TABLE endings ({id}, job BIGINT NOT NULL, pid BIGINT NOT NULL, ok BIGINT NOT NULL, \
             at BIGINT NOT NULL)"
        ))
        .await;
    bench.sql("CREATE TABLE goal (n BIGINT NOT NULL, rolled_back BIGINT NOT NULL)").await;
    bench.sql("INSERT INTO goal VALUES (0, 0)").await;
    let note = |now: &str, left: &str| {
        format!(
            "INSERT INTO moves (job, was, became, owner, uncounted, error, lease_left, at) VALUES (NEW.id, OLD.state, NEW.state, \
             COALESCE(NEW.lease_owner, OLD.lease_owner), OLD.attempts - NEW.attempts, NEW.last_error, {left}, {now});"
        )
    };
    if bench.is_postgres() {
        let note = note(
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
            "CAST(EXTRACT(EPOCH FROM OLD.lease_expires_at - clock_timestamp()) * 1000 AS BIGINT)",
        );
        bench
            .sql(&format!(
                "CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note} RETURN NULL; END $$"
            ))
            .await;
        bench
            .sql(
                "CREATE TRIGGER note_move AFTER UPDATE ON jobs FOR EACH ROW WHEN (OLD.state <> NEW.state) \
                 EXECUTE FUNCTION note_move()",
            )
            .await;
    } else {
        let note = note(
            "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
            "CAST((julianday(OLD.lease_expires_at) - julianday('now')) * 86400000 AS INTEGER)",
        );
        bench
            .sql(&format!(
                "CREATE TRIGGER note_move AFTER UPDATE OF state ON jobs WHEN OLD.state <> NEW.state BEGIN {note} END"
            ))
            .await;
    }
}

/// What is wrong, a sentence for each broken rule. Empty when all is well.
pub async fn findings(db: &impl ConnectionTrait) -> Vec<String> {
    let mut findings = Vec::new();
    for (rule, ask) in RULES {
        let broken = ids(db, ask).await.unwrap();
        if !broken.is_empty() {
            findings.push(format!("{rule}: {} of them, {:?}", broken.len(), &broken[..broken.len().min(5)]));
        }
    }
    findings
}

pub async fn ids(db: &impl ConnectionTrait, ask: &str) -> Result<Vec<i64>, DbErr> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), ask)).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// A job that the reaper took from a process.
#[derive(Debug)]
#[expect(dead_code, reason = "printed")]
pub struct Rescue {
    job: i64,
    owner: String,
    at: i64,
    /// Milliseconds from the end of its process to its next attempt, or its death. `None` when the process lived: it was
    /// kept from its heartbeat for as long as a lease.
    pub after: Option<i64>,
}

struct Move {
    became: String,
    owner: String,
    reaped: bool,
    at: i64,
}

pub async fn rescues(db: &impl ConnectionTrait, absences: &[Absence]) -> Result<Vec<Rescue>, DbErr> {
    let mut rescues = Vec::new();
    for (job, moves) in moves(db).await? {
        for (index, rescue) in moves.iter().enumerate().filter(|(_, one)| one.reaped) {
            let pid = pid(&rescue.owner);
            let absent = absences.iter().rev().find(|one| Some(one.pid) == pid && one.from <= rescue.at);
            let next = if rescue.became == "dead" { Some(rescue) } else { moves.get(index + 1) };
            let after = absent.filter(|one| rescue.at <= one.until).map(|one| {
                // A job that nobody took up again is found elsewhere.
                next.map_or(i64::MAX, |next| next.at - one.from)
            });
            rescues.push(Rescue { job, owner: rescue.owner.clone(), at: rescue.at, after });
        }
    }
    Ok(rescues)
}

/// Who held a job at `moment`, process by process: for how many of these moments did the process hold any?
pub async fn hits(db: &impl ConnectionTrait, kills: &[Absence]) -> Result<usize, DbErr> {
    let all = moves(db).await?;
    let held = |kill: &Absence| {
        all.values().any(|moves| {
            let last = moves.iter().rev().find(|one| one.at <= kill.from);
            last.is_some_and(|one| one.became == "running" && pid(&one.owner) == Some(kill.pid))
        })
    };
    Ok(kills.iter().filter(|kill| held(kill)).count())
}

async fn moves(db: &impl ConnectionTrait) -> Result<BTreeMap<i64, Vec<Move>>, DbErr> {
    let ask = "SELECT job, was, became, owner, uncounted, error, at FROM moves ORDER BY job, id";
    let mut all: BTreeMap<i64, Vec<Move>> = BTreeMap::new();
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), ask)).await? {
        let (was, became) = (row.try_get::<String>("", "was")?, row.try_get::<String>("", "became")?);
        let error: Option<String> = row.try_get("", "error")?;
        let died = error.is_some_and(|error| error.starts_with("the worker died"));
        // What is given back keeps the error of an earlier attempt, but is not counted.
        let reaped = was == "running" && became != "done" && died && row.try_get::<i64>("", "uncounted")? == 0;
        let owner = row.try_get::<Option<String>>("", "owner")?.unwrap_or_default();
        let one = Move { became, owner, reaped, at: row.try_get("", "at")? };
        all.entry(row.try_get("", "job")?).or_default().push(one);
    }
    Ok(all)
}

/// Of `host:pid:random`.
fn pid(owner: &str) -> Option<u32> {
    owner.split(':').nth(1)?.parse().ok()
}
