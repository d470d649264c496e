//! The runner: slots, claims, and one attempt from claim to settlement.

use std::{any::Any, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use sea_orm::DbErr;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinSet},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    beat::{Streak, within},
    current::{self, Current},
    lease::{self, Ask, Claimed, Wanted},
    provider::Inner,
    settings::Settings,
    transport::Outcome,
};

/// One slot in so many is kept from long work.
const KEPT_OF: usize = 8;
/// An answer of the database is waited for so long, to a claim at most for a third of the lease.
const PATIENCE: Duration = Duration::from_secs(10);
/// While a claim is unanswered, the table is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A job of a class that nobody here knows is looked at again after this.
const PARKED_FOR: Duration = Duration::from_secs(300);
/// An aborted handler gets this long to come to its next await.
const ABORT_WITHIN: Duration = Duration::from_secs(2);
/// After the grace: time to give leases back to a database that may be slow.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How an attempt ended.
enum Ending {
    Done,
    Failed(String),
    /// The lease is somebody else's, or could not be renewed in time. The handler was stopped.
    Lost(&'static str),
    /// The process stops. The handler was stopped.
    GivenBack,
    /// The process stops, but the handler would not.
    Stuck,
}

impl Ending {
    const fn outcome(&self) -> Outcome {
        match self {
            Self::Done => Outcome::Done,
            Self::Failed(_) => Outcome::Failed,
            Self::Lost(_) | Self::GivenBack | Self::Stuck => Outcome::Stopped,
        }
    }
}

/// What may run at a time: so many jobs, and so many long ones among them.
struct Slots {
    all: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

/// Slots that are free.
struct Free {
    all: Vec<OwnedSemaphorePermit>,
    long: Vec<OwnedSemaphorePermit>,
}

/// What a job holds while it runs. The long one is given back first: whoever waits for any slot finds it free as well.
struct Slot {
    _long: Option<OwnedSemaphorePermit>,
    _slot: OwnedSemaphorePermit,
}

/// Claims and runs jobs of `queues` (none: all) until the stop, then waits for what runs, at most for the grace.
pub(crate) async fn run(inner: &Arc<Inner>, queues: &[String]) {
    let slots = Slots::new(&inner.settings, queues);
    let last_call = CancellationToken::new();
    let mut running = JoinSet::new();
    let mut streak = Streak::new("claim");
    let mut unanswered = Unanswered::default();
    // What the table is known to have next.
    let mut due = Instant::now();
    let patience = PATIENCE.min(inner.settings.lease / 3);

    while let Some(mut free) = slots.free(&inner.stop).await {
        while running.try_join_next().is_some() {}
        let (db, settings) = (&inner.db, &inner.settings);
        let cleared = within(PATIENCE, unanswered.give_back(inner)).await;
        let ask = Ask::new();
        let (jobs, long) = (free.all.len(), free.long.len());
        let wanted = Wanted { queues, jobs, long };
        let claim = lease::claim(db, ask, &inner.owner, (settings.lease, patience), wanted);
        let claimed = match cleared {
            Ok(()) => within(patience, claim).await.inspect_err(|_| unanswered.0.push(ask)),
            Err(error) => Err(error),
        };
        // Long jobs may be left that wait for a slot of theirs alone.
        let mut is_full_of_long = false;
        let nap = match claimed {
            Ok((then, jobs)) => {
                streak.ended();
                let more = jobs.len() == free.all.len();
                let found = !jobs.is_empty();
                is_full_of_long = jobs.iter().filter(|job| job.is_long).count() >= free.long.len();
                inner.transport.claimed(&jobs);
                for (job, slot) in jobs.into_iter().zip(free.all.drain(..)) {
                    let long = if job.is_long { free.long.pop() } else { None };
                    let slot = Slot { _long: long, _slot: slot };
                    running.spawn(attempt(inner.clone(), job, slot, last_call.clone()));
                }
                let longest = if unanswered.0.is_empty() { settings.poll_every } else { LOOK_AGAIN };
                // Who was called and found something need not ask again what comes after it.
                if !more && (!found || due <= Instant::now()) {
                    due = Instant::now() + idle(inner, queues, then).await;
                }
                if more { Duration::ZERO } else { due.saturating_duration_since(Instant::now()).min(longest) }
            }
            Err(error) => streak.failed(&error),
        };
        drop(free);
        if nap > Duration::ZERO {
            tokio::select! {
                () = inner.stop.cancelled() => {}
                () = inner.transport.wait(!is_full_of_long) => {}
                () = slots.one_for_long(), if is_full_of_long => {}
                () = sleep(nap) => {}
            }
        }
    }

    if timeout(inner.settings.grace, all(&mut running)).await.is_err() {
        tracing::warn!(jobs = running.len(), "jobs: still running after the grace, giving them back");
        last_call.cancel();
        if timeout(ABORT_WITHIN + LAST_WORDS, all(&mut running)).await.is_err() {
            tracing::warn!(jobs = running.len(), "jobs: could not be given back; their leases will expire");
        }
    }
}

/// Claims whose answer did not come: the connection broke, or the database took too long. They may have been granted, so
/// we look until their leases are over.
#[derive(Default)]
struct Unanswered(Vec<Ask>);

impl Unanswered {
    async fn give_back(&mut self, inner: &Inner) -> Result<(), DbErr> {
        self.0.retain(|ask| ask.since.elapsed() < inner.settings.lease);
        if self.0.is_empty() {
            return Ok(());
        }
        let tokens: Vec<i64> = self.0.iter().map(|ask| ask.token).collect();
        let jobs = lease::disclaim(&inner.db, &tokens).await?;
        if jobs > 0 {
            tracing::warn!(jobs, "claimed without our hearing of it, given back");
        }
        Ok(())
    }
}

impl Slots {
    fn new(settings: &Settings, queues: &[String]) -> Self {
        let all = settings.concurrency.max(1);
        // Who takes nothing but long work keeps nothing for the rest, and who has a single slot cannot.
        let takes_only_long = !queues.is_empty() && queues.iter().all(|queue| settings.is_long(queue));
        let kept =
            if settings.long_queues.is_empty() || takes_only_long || all == 1 { 0 } else { (all / KEPT_OF).max(1) };
        Self { all: Arc::new(Semaphore::new(all)), long: Arc::new(Semaphore::new(all - kept)) }
    }

    /// All that are free, at least one; `None` after the stop.
    async fn free(&self, stop: &CancellationToken) -> Option<Free> {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            slot = self.all.clone().acquire_owned() => slot.ok()?,
        };
        let mut all = vec![first];
        all.extend(all_free(&self.all));
        Some(Free { all, long: all_free(&self.long).collect() })
    }

    /// Returns once a long job could begin.
    async fn one_for_long(&self) {
        let _only_to_know = self.long.acquire().await;
    }
}

fn all_free(slots: &Arc<Semaphore>) -> impl Iterator<Item = OwnedSemaphorePermit> {
    std::iter::from_fn(move || slots.clone().try_acquire_owned().ok())
}

/// How long to sleep when nothing was due: to the next moment that is known, at most one poll.
async fn idle(inner: &Inner, queues: &[String], then: DateTime<Utc>) -> Duration {
    let poll = inner.settings.poll_every;
    let next = within(PATIENCE, lease::next_due(&inner.db, queues, then)).await;
    next.ok().flatten().map_or(poll, |due| due.clamp(Duration::from_millis(1), poll))
}

async fn all(running: &mut JoinSet<()>) {
    while running.join_next().await.is_some() {}
}

/// One attempt: find the handler, run it under the lease, write down how it ended.
async fn attempt(inner: Arc<Inner>, job: Claimed, slot: Slot, last_call: CancellationToken) {
    let settled = match &job.args {
        Err(error) => bury(&inner, &job, error).await,
        Ok(args) => match inner.handler(&job.class) {
            None => park(&inner, &job).await,
            Some(handler) => {
                let (id, args) = (job.id.to_string(), args.clone());
                let work = Box::pin(async move { handler(id, args).await.map_err(|error| error.to_string()) });
                inner.transport.began(&job);
                let ending = perform(&inner, &job, work, &last_call).await;
                inner.transport.ended(&job, ending.outcome());
                settle(&inner, &job, ending).await
            }
        },
    };
    if !settled {
        tracing::warn!(job.id, job.class, job.attempt, "job was taken over; this attempt does not count");
    }
    drop(slot);
}

async fn perform(
    inner: &Inner,
    job: &Claimed,
    work: BoxFuture<'static, Result<(), String>>,
    last_call: &CancellationToken,
) -> Ending {
    let current =
        Current { id: job.id, class: job.class.clone(), attempt: job.attempt, max_attempts: job.max_attempts };
    // A task of its own: a handler that hogs its thread does not stop the heartbeat, and its panic is its own.
    let mut task = AbortOnDropHandle::new(tokio::spawn(current::scope(current, work)));
    let ending = tokio::select! {
        biased;
        joined = &mut task => return match joined {
            Ok(Ok(())) => Ending::Done,
            Ok(Err(error)) => Ending::Failed(error),
            Err(broken) => broke(broken),
        },
        why = lost(inner, job) => Ending::Lost(why),
        () = last_call.cancelled() => Ending::GivenBack,
    };
    task.abort();
    match (timeout(ABORT_WITHIN, task).await, ending) {
        (Ok(Ok(Ok(()))), _) => Ending::Done, // it was just ready
        (Err(_), Ending::GivenBack) => Ending::Stuck,
        (_, ending) => ending,
    }
}

/// Renews the lease until it is lost, and answers why.
async fn lost(inner: &Inner, job: &Claimed) -> &'static str {
    let lease = inner.settings.lease;
    let heartbeat = inner.settings.heartbeat.min(lease / 2);
    let mut streak = Streak::new("heartbeat");
    let mut holds_until = job.since + lease;
    let mut wait = heartbeat;
    loop {
        sleep_until((Instant::now() + wait).min(holds_until)).await;
        let asked = Instant::now();
        if asked >= holds_until {
            return "the lease ran out unrenewed";
        }
        match timeout_at(holds_until, lease::extend(&inner.db, job, lease)).await {
            Ok(Ok(true)) => {
                streak.ended();
                (holds_until, wait) = (asked + lease, heartbeat);
            }
            Ok(Ok(false)) => return "the lease was taken",
            Ok(Err(error)) => wait = streak.failed(&error).min(heartbeat),
            Err(_late) => return "the lease ran out unrenewed",
        }
    }
}

fn broke(broken: JoinError) -> Ending {
    match broken.try_into_panic() {
        Ok(panic) => Ending::Failed(format!("panicked: {}", message(&*panic))),
        Err(_cancelled) => Ending::GivenBack, // the runtime goes down
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Writes the ending down; `false` when the job was no longer ours.
async fn settle(inner: &Inner, job: &Claimed, ending: Ending) -> bool {
    match ending {
        Ending::Done => {
            let mine = insist(|| lease::finish(&inner.db, job)).await;
            tracing::debug!(job.id, job.class, job.attempt, mine, "job done");
            mine
        }
        Ending::Failed(error) if job.attempt >= job.max_attempts => bury(inner, job, &error).await,
        Ending::Failed(error) => {
            let wait = inner.settings.backoff.wait(job.attempt);
            tracing::warn!(job.id, job.class, job.attempt, error, ?wait, "job failed, will be tried again");
            insist(|| lease::retry(&inner.db, job, wait, &error)).await
        }
        Ending::Lost(why) => {
            tracing::warn!(job.id, job.class, job.attempt, why, "job stopped");
            true
        }
        Ending::GivenBack => insist(|| lease::give_back(&inner.db, job)).await,
        Ending::Stuck => {
            tracing::warn!(job.id, job.class, "job does not stop; its lease will expire");
            true
        }
    }
}

async fn bury(inner: &Inner, job: &Claimed, error: &str) -> bool {
    let mine = insist(|| lease::bury(&inner.db, job, error)).await;
    if mine {
        inner.alert(job.dead(error));
    }
    mine
}

async fn park(inner: &Inner, job: &Claimed) -> bool {
    if inner.is_news(&job.class) {
        tracing::warn!(job.id, job.class, "no worker of this class is registered here; its jobs are parked");
    }
    insist(|| lease::park(&inner.db, job, PARKED_FOR)).await
}

/// Asks until there is an answer. Safe for ever, because every question carries the token.
async fn insist<F: Future<Output = Result<bool, DbErr>>>(question: impl Fn() -> F) -> bool {
    let mut streak = Streak::new("settle");
    loop {
        match within(PATIENCE, question()).await {
            Ok(answer) => {
                streak.ended();
                return answer;
            }
            Err(error) => sleep(streak.failed(&error)).await,
        }
    }
}
