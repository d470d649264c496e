//! How a runner learns that there is something to claim. The seam between one process and many.
//!
//! A transport carries hints and nothing else: a lost hint costs at most one poll, a double one a fruitless claim. The
//! runner tells it besides what it is at, for those who watch from outside; whoever does not care does nothing.

use std::sync::Arc;

use sea_orm::{DatabaseConnection, DbErr};
use tokio::sync::Notify;

use crate::{jobs::Enqueued, lease::Claimed, redis::Redis};

/// The way hints travel.
pub(crate) enum Transport {
    /// Inside this process.
    Embedded(Embedded),
    /// Between processes, in Sidekiq's wire format.
    Redis(Arc<Redis>),
}

impl Transport {
    /// Tells some runner about a job that is due or will be. Never fails and never waits: a hint that cannot be sent is
    /// lost.
    pub(crate) fn notify(&self, db: &DatabaseConnection, job: &Enqueued) {
        match self {
            Self::Embedded(here) => here.notify(),
            Self::Redis(redis) => redis.notify(db, job),
        }
    }

    /// As [`Transport::notify`] for due jobs that nobody has taken for a while: some of their hints are still on their
    /// way, and there shall not be more hints than due jobs.
    pub(crate) async fn remind(&self, db: &DatabaseConnection, jobs: &[Enqueued]) -> Result<(), DbErr> {
        match self {
            Self::Embedded(here) if !jobs.is_empty() => here.notify(),
            Self::Embedded(_) => {}
            Self::Redis(redis) => redis.remind(db, jobs).await?,
        }
        Ok(())
    }

    /// Returns once something was hinted since the last return. There is a slot free, and one for long work or not.
    pub(crate) async fn wait(&self, one_for_long: bool) {
        match self {
            Self::Embedded(here) => here.wait().await,
            Self::Redis(redis) => redis.wait(one_for_long).await,
        }
    }

    /// These were claimed: their hints are used up.
    pub(crate) fn claimed(&self, jobs: &[Claimed]) {
        match self {
            Self::Embedded(_) => {}
            Self::Redis(redis) => redis.claimed(jobs),
        }
    }

    /// A handler is at this job.
    pub(crate) fn began(&self, job: &Claimed) {
        match self {
            Self::Embedded(_) => {}
            Self::Redis(redis) => redis.began(job),
        }
    }

    /// It no longer is.
    pub(crate) fn ended(&self, job: &Claimed, how: Outcome) {
        match self {
            Self::Embedded(_) => {}
            Self::Redis(redis) => redis.ended(job, how),
        }
    }
}

/// What is counted of an attempt.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    /// Stopped from outside; somebody else finishes it.
    Stopped,
}

/// One stored wake-up: the runner claims until nothing is left, so more would be waste.
#[derive(Default)]
pub(crate) struct Embedded(Notify);

impl Embedded {
    pub(crate) fn notify(&self) {
        self.0.notify_one();
    }

    pub(crate) async fn wait(&self) {
        self.0.notified().await;
    }
}
