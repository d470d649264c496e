//! The provider that Loco is given.

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use loco_rs::{
    Error, Result,
    bgworker::{Job, JobData, JobHandler, JobId, JobStatus, QueueProvider},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    admin, beat, clock,
    jobs::{DEFAULT_QUEUE, Enqueued, NewJob, enqueue},
    reaper,
    redis::{InvalidRedisUrl, Redis, RedisSettings},
    runner,
    settings::{DeadJob, Settings},
    timetable::{self, Recurring},
    transport::{Embedded, Transport},
    tx,
};

/// A queue whose truth is the table `jobs`. Clones share everything.
///
/// Loco's tags are queue names here: a worker process started without tags takes every queue, one started with
/// `--worker=mail,reports` takes those two. A Loco worker's queue is its `queue()`, else its first tag, else `default`.
#[derive(Clone)]
pub struct DurableQueue(Arc<Inner>);

pub(crate) struct Inner {
    pub db: DatabaseConnection,
    pub settings: Settings,
    pub transport: Transport,
    pub stop: CancellationToken,
    /// `host:pid:random`, for people who read the table.
    pub owner: String,
    handlers: RwLock<HashMap<String, Arc<JobHandler>>>,
    timetable: Mutex<Vec<Recurring>>,
    /// Classes already complained about.
    unknown: Mutex<HashSet<String>>,
}

impl DurableQueue {
    /// A queue whose hints stay inside this process; other processes on the same database notice within one poll.
    /// Cheap: nothing is connected or spawned before [`QueueProvider::run`].
    #[must_use]
    pub fn embedded(db: DatabaseConnection, settings: Settings) -> Self {
        Self::over(Transport::Embedded(Embedded::default()), owner(), db, settings)
    }

    /// A queue whose hints travel through Redis in Sidekiq's wire format, so that its clients can enqueue and its Web UI
    /// can watch. Redis may be away at any time: no job is lost, and nobody waits for it.
    /// Cheap: nothing is connected or spawned before the first hint or [`QueueProvider::run`].
    ///
    /// # Errors
    /// When the address cannot be read as one.
    pub fn redis(db: DatabaseConnection, settings: Settings, redis: RedisSettings) -> Result<Self, InvalidRedisUrl> {
        let owner = owner();
        let transport = Transport::Redis(Arc::new(Redis::new(redis, &owner, clock::process())?));
        Ok(Self::over(transport, owner, db, settings))
    }

    fn over(transport: Transport, owner: String, db: DatabaseConnection, settings: Settings) -> Self {
        Self(Arc::new(Inner {
            db,
            settings,
            transport,
            stop: CancellationToken::new(),
            owner,
            handlers: RwLock::default(),
            timetable: Mutex::default(),
            unknown: Mutex::default(),
        }))
    }

    /// Wakes a runner for jobs whose transaction has committed. Never fails: a lost hint costs at most one poll.
    #[allow(clippy::unused_async, reason = "a transport may come that has to be waited for")]
    pub async fn hint(&self, jobs: &[Enqueued]) {
        for job in jobs {
            self.0.transport.notify(&self.0.db, job);
        }
    }

    /// Does Redis answer? `None` where hints do not need it. Jobs run either way, only later without it.
    pub async fn redis_answers(&self) -> Option<bool> {
        match &self.0.transport {
            Transport::Embedded(_) => None,
            Transport::Redis(redis) => Some(redis.ping().await.is_ok()),
        }
    }

    /// The recurring jobs of this process, set once before it runs. All processes should keep the same timetable.
    pub fn timetable(&self, entries: Vec<Recurring>) {
        *lock(&self.0.timetable) = entries;
    }

    async fn insert(&self, jobs: Vec<NewJob>) -> Result<Vec<JobId>> {
        let inserted = tx::write(&self.0.db, async |txn| {
            let mut inserted = Vec::with_capacity(jobs.len());
            for job in jobs {
                let job = if self.0.settings.is_long(&job.queue) { job.long() } else { job };
                inserted.push(enqueue(txn, job).await?);
            }
            Ok::<_, DbErr>(inserted)
        })
        .await?;
        self.hint(&inserted).await;
        Ok(inserted.iter().map(|job| job.id.to_string()).collect())
    }
}

impl Inner {
    pub(crate) fn handler(&self, class: &str) -> Option<Arc<JobHandler>> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).get(class).cloned()
    }

    /// Is this the first time that this class is unknown?
    pub(crate) fn is_news(&self, class: &str) -> bool {
        lock(&self.unknown).insert(class.to_owned())
    }

    /// One line in the log and one call per dead job.
    pub(crate) fn alert(&self, job: DeadJob) {
        tracing::error!(job.id, job.class, job.queue, job.attempts, job.error, "job is dead");
        let Some(on_dead) = self.settings.on_dead.clone() else { return };
        if catch_unwind(AssertUnwindSafe(|| on_dead(job))).is_err() {
            tracing::error!("on_dead panicked");
        }
    }
}

#[async_trait]
impl QueueProvider for DurableQueue {
    /// Inserts in a transaction of its own, then hints.
    async fn enqueue(
        &self,
        class: String,
        queue: Option<String>,
        args: JobData,
        tags: Option<Vec<String>>,
        priority: Option<i32>,
    ) -> Result<Option<String>> {
        let ids = self.insert(vec![new_job(&class, queue.as_ref(), args, tags.as_ref(), priority)]).await?;
        Ok(ids.into_iter().next())
    }

    /// All or none.
    async fn enqueue_batch(
        &self,
        class: String,
        queue: Option<String>,
        jobs: Vec<(JobData, Option<i32>)>,
        tags: Option<Vec<String>>,
    ) -> Result<Vec<JobId>> {
        let one = |(args, priority)| new_job(&class, queue.as_ref(), args, tags.as_ref(), priority);
        self.insert(jobs.into_iter().map(one).collect()).await
    }

    async fn register_handler(&self, name: String, handler: JobHandler) -> Result<()> {
        let mut handlers = self.0.handlers.write().unwrap_or_else(PoisonError::into_inner);
        handlers.insert(name, Arc::new(handler));
        Ok(())
    }

    /// Runs jobs, the reaper, the hint sweep and the timetable until [`QueueProvider::shutdown`]. Database errors do not
    /// end it.
    async fn run(&self, tags: Vec<String>) -> Result<()> {
        let inner = &self.0;
        let mut loops = JoinSet::new();
        let this = inner.clone();
        loops.spawn(async move { beat::every(this.stop.clone(), "reap", || reaper::reap(&this)).await });
        let this = inner.clone();
        loops.spawn(async move { beat::every(this.stop.clone(), "sweep", || reaper::sweep(&this)).await });
        let entries = timetable::readable(lock(&inner.timetable).clone());
        if !entries.is_empty() {
            let this = inner.clone();
            loops.spawn(async move {
                beat::every(this.stop.clone(), "timetable", || timetable::pass(&this, &entries)).await;
            });
        }
        if let Transport::Redis(redis) = &inner.transport {
            redis.loops(inner, &tags, &mut loops);
        }
        tracing::info!(owner = inner.owner, slots = inner.settings.concurrency, queues = ?tags, "jobs: running");
        runner::run(inner, &tags).await;
        loops.shutdown().await;
        if let Transport::Redis(redis) = &inner.transport {
            redis.leave().await;
        }
        Ok(())
    }

    /// Nothing: the tables come from migrations.
    async fn setup(&self) -> Result<()> {
        Ok(())
    }

    /// Refuses: rows are the truth, and some of them are money.
    async fn clear(&self) -> Result<()> {
        Err(Error::string("durable-jobs does not clear its table: dangerously_flush must stay off; use `jobs purge`"))
    }

    async fn ping(&self) -> Result<()> {
        self.0.db.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    async fn get_jobs(&self, status: Option<&Vec<JobStatus>>, age_days: Option<i64>) -> Result<Vec<Job>> {
        Ok(admin::list(&self.0.db, status, age_days).await?)
    }

    /// Queued jobs of this class become `dead` with the error `cancelled`.
    async fn cancel_jobs_by_name(&self, name: &str) -> Result<()> {
        Ok(admin::cancel(&self.0.db, name).await?)
    }

    /// Deletes. A running job whose row is deleted is stopped at its next heartbeat.
    async fn clear_by_status(&self, status: Vec<JobStatus>) -> Result<()> {
        Ok(admin::delete(&self.0.db, Some(&status), None).await?)
    }

    async fn clear_jobs_older_than(&self, age_days: i64, status: Option<&Vec<JobStatus>>) -> Result<()> {
        Ok(admin::delete(&self.0.db, status, Some(age_days)).await?)
    }

    /// Releases leases that expired `age_minutes` ago or earlier. A job whose worker lives is never touched.
    async fn requeue(&self, age_minutes: &i64) -> Result<()> {
        let age = Duration::from_secs(u64::try_from(*age_minutes).unwrap_or(0).saturating_mul(60));
        let before = clock::before(clock::now(&self.0.db).await?, age);
        while reaper::release_expired(&self.0, before).await? > 0 {}
        Ok(())
    }

    /// Dead jobs are queued again with all their attempts, unless a live job holds their key.
    async fn retry_failed(&self, id: Option<&str>) -> Result<u64> {
        let revived = admin::revive(&self.0.db, id).await?;
        self.hint(&revived).await;
        Ok(revived.len() as u64)
    }

    fn describe(&self) -> String {
        match self.0.transport {
            Transport::Embedded(_) => "durable jobs (database rows, hints in this process)".to_owned(),
            Transport::Redis(_) => "durable jobs (database rows, hints through Redis)".to_owned(),
        }
    }

    fn shutdown(&self) -> Result<()> {
        self.0.stop.cancel();
        Ok(())
    }
}

fn new_job(
    class: &str,
    queue: Option<&String>,
    args: JobData,
    tags: Option<&Vec<String>>,
    priority: Option<i32>,
) -> NewJob {
    let queue = queue.or_else(|| tags?.first()).map_or(DEFAULT_QUEUE, String::as_str);
    NewJob::new(class, args).on(queue).priority(priority.unwrap_or(0))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn owner() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    let host = host.unwrap_or_default();
    format!("{}:{}:{:08x}", host.trim(), process::id(), rand::random::<u32>())
}
