//! Hints between processes, in Sidekiq's wire format: its clients enqueue, its Web UI watches.
//!
//! The table stays the truth. Redis may be lost, flushed, hung, full or absent, at boot and at any later moment: no job is
//! lost, nobody who enqueues waits, the runners go on by polling, and hints resume when it is back.
//!
//! `rusty-sidekiq` (the crate `sidekiq`) gives the connections and the shape of a job. What else it has is not used:
//!
//! * its processor pops with BRPOP, so that a killed process loses the job; we move a hint to a list of our own
//!   (`fetch.rs`) and take it off there when the table knows of it;
//! * its moments are floating-point milliseconds, which every Sidekiq reads as seconds, in the year 58858; we put seconds
//!   in their place (`wire.rs`);
//! * it reads a job into a struct, which drops keys it does not know and refuses `retry: null` after the pop; we read JSON;
//! * its heartbeat keeps the identity to itself, under which the work in progress has to stand, writes that in the place
//!   where only Sidekiq 7 looks, and counts nothing (`presence.rs`);
//! * its connections have no timeout for answers; each question here has one (`link.rs`).

mod adopt;
mod fetch;
mod link;
mod listen;
mod presence;
mod send;
mod shown;
mod wire;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};

use crate::{
    beat,
    lease::Claimed,
    provider::{Inner, lock},
    transport::{Embedded, Outcome},
};

pub(crate) use link::Link;
pub(crate) use wire::ADOPTED;

/// Where Redis is, and how it is used.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://…` or `rediss://…`, with a database number if it is shared.
    pub url: String,
    /// An answer is waited for so long. Default 1 s.
    pub patience: Duration,
    /// How often an idle process looks for hints that it was not told of. Default 100 ms.
    pub look_every: Duration,
    /// How often a process says that it lives and what it is at. Default 5 s, as Sidekiq does.
    pub beat_every: Duration,
    /// A process that was silent for so long is dead; what it had fetched goes back. Default 60 s, as Sidekiq does.
    pub silence: Duration,
    /// How often the lists of what is scheduled, retried and dead are brought up to date. Default 5 s.
    pub show_every: Duration,
}

impl RedisSettings {
    /// With every default.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            patience: Duration::from_secs(1),
            look_every: Duration::from_millis(100),
            beat_every: Duration::from_secs(5),
            silence: Duration::from_secs(60),
            show_every: Duration::from_secs(5),
        }
    }
}

/// The address of Redis is none.
#[derive(Debug, thiserror::Error)]
#[error("not an address of a Redis: {0}")]
pub struct InvalidRedisUrl(String);

/// Keys beside Sidekiq's own.
mod key {
    /// The channel on which it is said that there are new ones.
    pub(super) const HINTS: &str = "durable-jobs:hints";
    /// Identities of the processes that have a list of fetched hints.
    pub(super) const FETCHERS: &str = "durable-jobs:fetchers";
    /// What could not be read as a job, newest first.
    pub(super) const MALFORMED: &str = "durable-jobs:malformed";
    /// Who brings the lists up to date at the moment.
    pub(super) const SHOWING: &str = "durable-jobs:showing";

    /// The hints that a process has fetched and not yet dealt with.
    pub(super) fn fetched(identity: &str) -> String {
        format!("durable-jobs:fetched:{identity}")
    }

    pub(super) fn queue(name: &str) -> String {
        format!("queue:{name}")
    }
}

/// The transport of one process.
pub(crate) struct Redis {
    settings: RedisSettings,
    link: Link,
    /// As in the table's `lease_owner`.
    identity: String,
    started_at: DateTime<Utc>,
    /// Wakes this process's own runner.
    here: Embedded,
    /// Hints on their way out. The task at the other end is there from the first hint on.
    outbox: OnceLock<mpsc::Sender<i64>>,
    /// Somebody says that there are new hints.
    told: Notify,
    /// What the runner could begin now.
    room: Mutex<Room>,
    /// Per queue: jobs claimed from the table whose hints are still in Redis.
    owed: Mutex<HashMap<String, i64>>,
    /// What handlers are at, by job.
    work: Mutex<HashMap<i64, presence::Work>>,
    processed: AtomicU64,
    failed: AtomicU64,
}

impl Redis {
    /// Connects to nothing yet.
    pub(crate) fn new(settings: RedisSettings, identity: &str, now: DateTime<Utc>) -> Result<Self, InvalidRedisUrl> {
        Ok(Self {
            link: Link::new(&settings)?,
            settings,
            identity: identity.to_owned(),
            started_at: now,
            here: Embedded::default(),
            outbox: OnceLock::new(),
            told: Notify::new(),
            room: Mutex::default(),
            owed: Mutex::default(),
            work: Mutex::default(),
            processed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// Does it answer?
    pub(crate) async fn ping(&self) -> Result<(), DbErr> {
        self.link.ask::<()>(redis::pipe().cmd("PING").ignore()).await
    }

    pub(crate) async fn wait(&self, one_for_long: bool) {
        let _waiting = Waiting::begin(&self.room, if one_for_long { Room::Everybody } else { Room::Quick });
        self.here.wait().await;
    }

    pub(crate) fn claimed(&self, jobs: &[Claimed]) {
        let mut owed = lock(&self.owed);
        for job in jobs {
            *owed.entry(job.queue.clone()).or_default() += 1;
        }
    }

    pub(crate) fn began(&self, job: &Claimed) {
        lock(&self.work).insert(job.id, presence::Work::of(job));
    }

    pub(crate) fn ended(&self, job: &Claimed, how: Outcome) {
        lock(&self.work).remove(&job.id);
        // Sidekiq counts a failure as processed too.
        match how {
            Outcome::Done => drop(self.processed.fetch_add(1, Relaxed)),
            Outcome::Failed => {
                self.processed.fetch_add(1, Relaxed);
                self.failed.fetch_add(1, Relaxed);
            }
            Outcome::Stopped => {}
        }
    }

    /// Everything that a process which runs jobs does about Redis. What fails is tried again for ever.
    pub(crate) fn loops(self: &Arc<Self>, inner: &Arc<Inner>, queues: &[String], loops: &mut JoinSet<()>) {
        let (this, that, queues) = (self.clone(), inner.clone(), queues.to_vec());
        let all = queues.clone();
        loops.spawn(async move {
            beat::every(that.stop.clone(), "fetch hints", || Box::pin(fetch::pass(&this, &that, &all))).await;
        });
        let (this, that) = (self.clone(), inner.clone());
        loops.spawn(async move {
            beat::every(that.stop.clone(), "listen for hints", || listen::pass(&this)).await;
        });
        let (this, that) = (self.clone(), inner.clone());
        loops.spawn(async move {
            beat::every(that.stop.clone(), "show jobs", || Box::pin(shown::pass(&this, &that.db))).await;
        });
        // Not ended by the stop: a process that stops is still at its last jobs.
        let (this, that) = (self.clone(), inner.clone());
        loops.spawn(async move {
            let never = tokio_util::sync::CancellationToken::new();
            beat::every(never, "say hello", || presence::beat(&this, &that, &queues)).await;
        });
    }

    /// This process runs no more jobs.
    pub(crate) async fn leave(&self) {
        if let Err(error) = presence::leave(self).await {
            tracing::info!(%error, "jobs: left without a word, the heartbeat will run out");
        }
    }
}

/// For which jobs the runner waits, with a slot free for them.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Room {
    /// For none: it does not wait.
    #[default]
    Nobody,
    /// For all but those of long queues.
    Quick,
    Everybody,
}

/// The runner waits for as long as this lives, also when its wait is given up.
struct Waiting<'a>(&'a Mutex<Room>);

impl<'a> Waiting<'a> {
    fn begin(room: &'a Mutex<Room>, there_is: Room) -> Self {
        *lock(room) = there_is;
        Self(room)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *lock(self.0) = Room::Nobody;
    }
}
