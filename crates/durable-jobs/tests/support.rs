//! A database per test, a provider with short times, and waiting with a deadline.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use durable_jobs::{
    Backoff, DeadJob, DurableQueue, Enqueued, NewJob, Settings, enqueue,
    entity::job::{self, Model, State},
    schema, tx,
};
use futures::FutureExt;
use loco_rs::{Result, bgworker::QueueProvider};
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, Statement,
};
use sea_orm_migration::SchemaManager;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinHandle, time::Instant};

/// Nothing that should happen may take longer. Generous: the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A database with our tables, and what is needed to get rid of it.
pub struct Bench {
    pub db: DatabaseConnection,
    pub url: String,
    place: Place,
}

enum Place {
    File(#[allow(dead_code, reason = "removed when dropped")] tempfile::TempDir),
    Server { admin: DatabaseConnection, name: String },
    Passing,
}

/// Runs `test` on a fresh database and removes it, whatever happens.
pub async fn bench(test: impl AsyncFnOnce(&Bench)) {
    run(Bench::create().await, test).await;
}

/// Runs `test` on a database of a server that will be thrown away.
pub async fn bench_on(server: &str, test: impl AsyncFnOnce(&Bench)) {
    run(Bench::furnish(server.to_owned(), Place::Passing).await, test).await;
}

async fn run(bench: Bench, test: impl AsyncFnOnce(&Bench)) {
    let outcome = AssertUnwindSafe(test(&bench)).catch_unwind().await;
    let Bench { db, place, .. } = bench;
    db.close().await.unwrap();
    if let Place::Server { admin, name } = place {
        admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        admin.close().await.unwrap();
    }
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Bench {
    async fn create() -> Self {
        let (url, place) = match std::env::var("TEST_DATABASE_URL") {
            Ok(server) => {
                let admin = connect(&server, 1).await;
                let name = format!("durable_jobs_{:016x}", rand::random::<u64>());
                admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
                let (base, _) = server.rsplit_once('/').unwrap();
                (format!("{base}/{name}"), Place::Server { admin, name })
            }
            Err(_) => {
                let dir = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}/test.sqlite?mode=rwc", dir.path().display());
                (url, Place::File(dir))
            }
        };
        Self::furnish(url, place).await
    }

    async fn furnish(url: String, place: Place) -> Self {
        let db = connect(&url, 10).await;
        schema::up(&SchemaManager::new(&db)).await.unwrap();
        schema::keys_up(&SchemaManager::new(&db)).await.unwrap();
        Self { db, url, place }
    }

    pub fn is_postgres(&self) -> bool {
        !matches!(self.place, Place::File(_))
    }

    pub async fn sql(&self, sql: &str) {
        self.db.execute_unprepared(sql).await.unwrap();
    }

    /// Enqueues in a transaction of its own.
    pub async fn put(&self, job: NewJob) -> Enqueued {
        tx::write(&self.db, async |txn| enqueue(txn, job).await).await.unwrap()
    }

    pub async fn row(&self, id: i64) -> Model {
        job::Entity::find_by_id(id).one(&self.db).await.unwrap().unwrap()
    }

    pub async fn count(&self, state: State) -> u64 {
        job::Entity::find().filter(job::Column::State.eq(state)).count(&self.db).await.unwrap()
    }

    /// Waits until a job is in `state`.
    pub async fn reaches(&self, id: i64, state: State) -> Model {
        until(async || self.row(id).await.state == state).await;
        self.row(id).await
    }

    pub async fn all_done(&self, number: u64) {
        until(async || self.count(State::Done).await == number).await;
    }

    pub async fn all_done_at_least(&self, number: u64) {
        until(async || self.count(State::Done).await >= number).await;
    }

    pub fn queue(&self, settings: Settings) -> DurableQueue {
        DurableQueue::embedded(self.db.clone(), settings)
    }

    pub async fn number(&self, sql: &str) -> i64 {
        number(&self.db, sql).await.unwrap()
    }

    pub async fn text(&self, sql: &str) -> String {
        let ask = Statement::from_string(self.db.get_database_backend(), sql);
        self.db.query_one_raw(ask).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }
}

/// The column `n` of the one row that `sql` answers.
pub async fn number(db: &impl ConnectionTrait, sql: &str) -> Result<i64, DbErr> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    row.ok_or_else(|| DbErr::RecordNotFound(sql.to_owned()))?.try_get("", "n")
}

pub async fn connect(url: &str, connections: u32) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).acquire_timeout(Duration::from_secs(10)).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .journal_mode(sea_orm::sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sea_orm::sqlx::sqlite::SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10))
    });
    Database::connect(options).await.unwrap()
}

/// Everything quick but the lease, which only some tests want to see expire.
pub fn quick() -> Settings {
    Settings {
        concurrency: 8,
        reap_every: Duration::from_millis(100),
        sweep_every: Duration::from_millis(200),
        poll_every: Duration::from_millis(50),
        backoff: Backoff { base: Duration::from_millis(5), cap: Duration::from_millis(20) },
        ..Settings::default()
    }
}

/// [`quick`], with leases that expire while one watches.
pub fn short_leases() -> Settings {
    Settings { lease: Duration::from_secs(2), heartbeat: Duration::from_millis(300), ..quick() }
}

/// Collects what `on_dead` was told.
pub fn with_alerts(mut settings: Settings) -> (Settings, Arc<Mutex<Vec<DeadJob>>>) {
    let alerts = Arc::new(Mutex::new(Vec::new()));
    let told = alerts.clone();
    settings.on_dead = Some(Arc::new(move |dead| told.lock().unwrap().push(dead)));
    (settings, alerts)
}

/// Registers a handler written as a closure.
pub async fn on<F, W>(queue: &DurableQueue, class: &str, work: F)
where
    F: Fn(i64, Value) -> W + Send + Sync + 'static,
    W: Future<Output = Result<()>> + Send + 'static,
{
    let handler = Box::new(move |id: String, args: Value| work(id.parse().unwrap(), args).boxed());
    queue.register_handler(class.to_owned(), handler).await.unwrap();
}

/// Jobs of this class end one by one, as many as the gate has let through.
pub async fn held(queue: &DurableQueue, class: &str) -> Arc<Semaphore> {
    let gate = Arc::new(Semaphore::new(0));
    let passes = gate.clone();
    on(queue, class, move |_, _| {
        let passes = passes.clone();
        async move {
            passes.acquire().await.unwrap().forget();
            Ok(())
        }
    })
    .await;
    gate
}

/// A provider that runs.
pub struct Running {
    queue: DurableQueue,
    task: JoinHandle<Result<()>>,
}

pub fn start(queue: &DurableQueue) -> Running {
    start_for(queue, &[])
}

pub fn start_for(queue: &DurableQueue, tags: &[&str]) -> Running {
    let (this, tags) = (queue.clone(), tags.iter().map(|tag| (*tag).to_owned()).collect());
    Running { queue: queue.clone(), task: tokio::spawn(async move { this.run(tags).await }) }
}

impl Running {
    pub async fn stop(self) {
        self.queue.shutdown().unwrap();
        tokio::time::timeout(DEADLINE, self.task).await.expect("run returns").unwrap().unwrap();
    }

    /// As `kill -9` would, as far as a process can do that to itself: nothing is written any more.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub async fn until(condition: impl AsyncFn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < end, "did not happen within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn job(class: &str) -> NewJob {
    NewJob::new(class, json!({}))
}

pub type Anyhow<T = ()> = Result<T, DbErr>;
