//! The processes that are killed: this very binary, started again under orders.

use std::{collections::HashSet, io::Read, panic::resume_unwind, process, time::Duration};

use durable_jobs::{Backoff, Current, DurableQueue, RedisSettings, Settings, current, tx};
use loco_rs::{Error, Result, bgworker::QueueProvider};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, Statement};
use serde::{Deserialize, Serialize};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use super::{evidence::now, submitter};
use crate::support::{connect, on};

/// Where a process finds its [`Orders`].
pub const ORDERS: &str = "DURABLE_JOBS_TEST_ORDERS";
/// A queue of work that takes long, as far as the processes know.
pub const LONG: &str = "long";
/// A lease of the processes that do not keep the shipped times.
pub const SHORT_LEASE: Duration = Duration::from_secs(4);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    pub url: String,
    pub role: Role,
    /// With the times that the crate ships, or with short ones.
    pub shipped: bool,
    pub mutant: Option<Mutant>,
    /// Knows the class that the others do not.
    pub next_release: bool,
    /// Asks for nothing that takes a process down or has to wait for the next release.
    pub tame: bool,
    /// Hints go through the Redis at this address.
    pub redis: Option<String>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    Worker,
    Submitter,
}

/// A worker or submitter that breaks one rule. The evidence must show it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mutant {
    /// No poll and no hint sweep: only hints, and those do not cross processes.
    Deaf,
    /// Nobody looks for expired leases.
    NoReaper,
    /// Takes back what has been running for a while, whoever is at it.
    ReapsByAge,
    /// Applies effects without asking whether the lease is still its own.
    IgnoresFence,
    /// Completes a job by its id alone.
    FinishesWithoutToken,
    /// Enqueues beside the transaction instead of in it.
    EnqueuesOutside,
    /// Answers `Ok` for a class that it does not know.
    SwallowsUnknown,
}

/// What a job carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub target: i64,
    pub kind: Kind,
    /// Length of each of the two steps in the first attempt, and in the others.
    pub first_ms: u64,
    pub later_ms: u64,
    /// Works in a task of its own, which goes on when the runner stops the handler: only the fence holds it.
    pub detached: bool,
    /// At the very end of the first attempt its thread is blocked for so long.
    pub blocks_ms: u64,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Plain,
    /// Fails, or panics, before the third attempt.
    Fails,
    Panics,
    /// Takes its process down in the first attempt.
    AbortsOnce,
    /// These three end dead.
    Hopeless,
    Aborts,
    Malformed,
    /// Of a class that only the next release knows.
    Unknown,
}

impl Orders {
    pub fn worker(url: &str) -> Self {
        Self {
            url: url.into(),
            role: Role::Worker,
            shipped: false,
            mutant: None,
            next_release: false,
            tame: false,
            redis: None,
        }
    }

    /// The provider that these orders mean.
    pub fn queue(&self, db: DatabaseConnection) -> DurableQueue {
        match &self.redis {
            None => DurableQueue::embedded(db, self.settings()),
            Some(url) => DurableQueue::redis(db, self.settings(), RedisSettings::new(url)).unwrap(),
        }
    }

    fn settings(&self) -> Settings {
        let never = Duration::from_secs(86_400);
        let mut settings = if self.shipped {
            Settings::default()
        } else {
            Settings {
                concurrency: 4,
                long_queues: vec![LONG.to_owned()],
                lease: SHORT_LEASE,
                heartbeat: Duration::from_millis(800),
                reap_every: Duration::from_millis(300),
                sweep_every: Duration::from_secs(1),
                poll_every: Duration::from_millis(100),
                grace: Duration::from_secs(1),
                backoff: Backoff { base: Duration::from_millis(10), cap: Duration::from_millis(100) },
                on_dead: None,
            }
        };
        match self.mutant {
            Some(Mutant::Deaf) => (settings.poll_every, settings.sweep_every) = (never, never),
            Some(Mutant::NoReaper) => settings.reap_every = never,
            _ => {}
        }
        settings
    }
}

/// The process. Not a test: without orders it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "started by the tests beside it"]
async fn process_under_orders() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    // Whoever started us holds the other end, and it closes when they die.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        process::exit(3);
    });
    match orders.role {
        Role::Worker => work(orders).await,
        Role::Submitter => submitter::submit(orders).await,
    }
}

async fn work(orders: Orders) {
    let db = connect(&orders.url, 6).await;
    let queue = orders.queue(db.clone());
    let mutant = orders.mutant;
    let mut classes = vec!["Work"];
    if orders.next_release {
        classes.push("NextRelease");
    }
    for class in classes {
        let db = db.clone();
        on(&queue, class, move |_, args| perform(db.clone(), mutant, args)).await;
    }
    if mutant == Some(Mutant::SwallowsUnknown) {
        on(&queue, "NextRelease", |_, _| async { Ok(()) }).await;
    }
    if mutant == Some(Mutant::ReapsByAge) {
        tokio::spawn(reap_by_age(db.clone()));
    }
    let mut term = signal(SignalKind::terminate()).unwrap();
    let stopping = queue.clone();
    tokio::spawn(async move {
        term.recv().await;
        stopping.shutdown().unwrap();
    });
    queue.run(Vec::new()).await.unwrap();
}

async fn perform(db: DatabaseConnection, mutant: Option<Mutant>, args: serde_json::Value) -> Result<()> {
    let task: Task = serde_json::from_value(args)?;
    let attempt = Attempt { db, mutant, me: current().unwrap(), task };
    if !attempt.task.detached {
        return attempt.run().await;
    }
    match tokio::spawn(async move { attempt.run().await }).await {
        Ok(ended) => ended,
        Err(broken) => resume_unwind(broken.into_panic()),
    }
}

struct Attempt {
    db: DatabaseConnection,
    mutant: Option<Mutant>,
    me: Current,
    task: Task,
}

impl Attempt {
    async fn run(&self) -> Result<()> {
        // Looked at before the work and not again, so that only the fence keeps a late one from doing it twice.
        let applied = self.applied().await?;
        for step in [1, 2] {
            let length = if self.me.attempt == 1 { self.task.first_ms } else { self.task.later_ms };
            sleep(Duration::from_millis(length)).await;
            if step == 2 {
                self.misbehave().await?;
            }
            // Somebody else's by now: the work is thrown away.
            if !applied.contains(&step) && !self.apply(step).await? {
                break;
            }
        }
        self.ends(true).await?;
        if self.mutant == Some(Mutant::FinishesWithoutToken) {
            let now = durable_jobs::clock::now(&self.db).await?;
            let finish = "UPDATE jobs SET state = 'done', lease_token = NULL, lease_owner = NULL, \
                          lease_expires_at = NULL, finished_at = $2 WHERE id = $1 AND state = 'running'";
            self.db.execute_raw(self.say(finish, [self.me.id.into(), now.into()])).await?;
        }
        Ok(())
    }

    async fn misbehave(&self) -> Result<()> {
        let fails = match self.task.kind {
            Kind::Fails | Kind::Panics => self.me.attempt < 3,
            Kind::AbortsOnce => self.me.attempt == 1,
            Kind::Aborts | Kind::Hopeless => true,
            Kind::Plain | Kind::Malformed | Kind::Unknown => false,
        };
        if !fails {
            return Ok(());
        }
        self.ends(false).await?;
        match self.task.kind {
            Kind::Panics => panic!("not yet"),
            Kind::Aborts | Kind::AbortsOnce => process::abort(),
            Kind::Hopeless => Err(Error::string("no hope")),
            _ => Err(Error::string("not yet")),
        }
    }

    /// Says how it is about to end, for whoever wonders later whose word counted.
    async fn ends(&self, ok: bool) -> Result<(), DbErr> {
        let values = [self.me.id.into(), i64::from(process::id()).into(), i64::from(ok).into(), now().into()];
        self.db.execute_raw(self.say("INSERT INTO endings (job, pid, ok, at) VALUES ($1, $2, $3, $4)", values)).await?;
        if self.me.attempt == 1 && self.task.blocks_ms > 0 {
            sleep(Duration::from_millis(300)).await; // what this thread had to wake is awake
            std::thread::sleep(Duration::from_millis(self.task.blocks_ms));
        }
        Ok(())
    }

    async fn applied(&self) -> Result<HashSet<i64>, DbErr> {
        let ask = self.say("SELECT step FROM effects WHERE target = $1", [self.task.target.into()]);
        self.db.query_all_raw(ask).await?.iter().map(|row| row.try_get("", "step")).collect()
    }

    /// One step's effect, if the job is still ours. No constraint forbids a second one: it would be found.
    async fn apply(&self, step: i64) -> Result<bool, DbErr> {
        tx::write(&self.db, async |txn| {
            if self.mutant != Some(Mutant::IgnoresFence) && !self.holds(txn).await? {
                return Ok(false);
            }
            let values =
                [self.task.target.into(), step.into(), self.me.attempt.into(), i64::from(process::id()).into()];
            txn.execute_raw(
                self.say("INSERT INTO effects (target, step, attempt, pid) VALUES ($1, $2, $3, $4)", values),
            )
            .await?;
            Ok(true)
        })
        .await
    }

    /// Is this attempt the one that holds the job, and will it until the transaction ends? Job, attempt and process say
    /// so as exactly as the token.
    async fn holds(&self, txn: &impl ConnectionTrait) -> Result<bool, DbErr> {
        let lock = if self.db.get_database_backend() == DatabaseBackend::Postgres { " FOR UPDATE" } else { "" };
        let sql = format!(
            "SELECT id FROM jobs WHERE id = $1 AND state = 'running' AND attempts = $2 AND lease_owner LIKE $3{lock}"
        );
        let owner = format!("%:{}:%", process::id());
        let ask = self.say(&sql, [self.me.id.into(), self.me.attempt.into(), owner.into()]);
        Ok(txn.query_one_raw(ask).await?.is_some())
    }

    fn say<const N: usize>(&self, sql: &str, values: [sea_orm::Value; N]) -> Statement {
        Statement::from_sql_and_values(self.db.get_database_backend(), sql, values)
    }
}

/// How Loco's own reaper judges.
async fn reap_by_age(db: DatabaseConnection) {
    loop {
        sleep(Duration::from_millis(200)).await;
        let now = durable_jobs::clock::now(&db).await.unwrap();
        let old = durable_jobs::clock::before(now, Duration::from_secs(1));
        let reap = "UPDATE jobs SET state = 'queued', lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL, \
                    run_at = $1, last_error = 'the worker died' WHERE state = 'running' AND run_at < $2";
        let values = [now.into(), old.into()];
        let _ = db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), reap, values)).await;
    }
}
