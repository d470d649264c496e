//! What an operator may change, and what is told about a dead job.

use std::{fmt, sync::Arc, time::Duration};

/// Called once for every job that becomes `dead` by failing, by killing its workers or by being unreadable.
pub type OnDead = Arc<dyn Fn(DeadJob) + Send + Sync>;

/// How the runner behaves.
#[derive(Clone)]
pub struct Settings {
    /// Jobs at a time in this process. Default 16.
    pub concurrency: usize,
    /// Queues of work that takes long ([`crate::NewJob::long`]). One slot in eight is kept from it, at least one where there are
    /// several, so that what is quick never waits until something long ends. Default none.
    pub long_queues: Vec<String>,
    /// How long a claim holds without a heartbeat. Default 30 s.
    pub lease: Duration,
    /// How often a running job's lease is renewed; well below `lease`. Default 10 s.
    pub heartbeat: Duration,
    /// How often expired leases are looked for. Default 5 s.
    pub reap_every: Duration,
    /// How often forgotten due jobs are hinted again. Default 15 s.
    pub sweep_every: Duration,
    /// The longest sleep of an idle runner: the safety net under the hints. Default 1 s.
    pub poll_every: Duration,
    /// How long running jobs may go on after a shutdown before their leases are given back. Default 25 s.
    pub grace: Duration,
    /// Wait between two attempts.
    pub backoff: Backoff,
    /// The alert. Must not block: it is called on a runner's thread. Default none, there is always an ERROR in the log.
    pub on_dead: Option<OnDead>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 16,
            long_queues: Vec::new(),
            lease: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            reap_every: Duration::from_secs(5),
            sweep_every: Duration::from_secs(15),
            poll_every: Duration::from_secs(1),
            grace: Duration::from_secs(25),
            backoff: Backoff::default(),
            on_dead: None,
        }
    }
}

impl Settings {
    /// Does what lies there take long?
    pub(crate) fn is_long(&self, queue: &str) -> bool {
        self.long_queues.iter().any(|long| long == queue)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("concurrency", &self.concurrency)
            .field("long_queues", &self.long_queues)
            .field("lease", &self.lease)
            .field("heartbeat", &self.heartbeat)
            .field("reap_every", &self.reap_every)
            .field("sweep_every", &self.sweep_every)
            .field("poll_every", &self.poll_every)
            .field("grace", &self.grace)
            .field("backoff", &self.backoff)
            .field("on_dead", &self.on_dead.is_some())
            .finish()
    }
}

/// Exponential backoff with full jitter: a wait drawn evenly from nothing to `base · 2^(attempt − 1)`, at most `cap`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Longest wait after the first attempt. Default 5 s.
    pub base: Duration,
    /// Longest wait ever. Default 10 min.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_secs(5), cap: Duration::from_secs(600) }
    }
}

impl Backoff {
    /// The longest wait after `attempt` (the first is 1) has failed.
    #[must_use]
    pub fn ceiling(&self, attempt: i32) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(30);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// A wait after `attempt` has failed.
    #[must_use]
    pub fn wait(&self, attempt: i32) -> Duration {
        self.ceiling(attempt).mul_f64(rand::random_range(0.0..=1.0))
    }
}

/// A job that nobody will try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadJob {
    /// Its row.
    pub id: i64,
    /// Its worker.
    pub class: String,
    /// Its queue.
    pub queue: String,
    /// Attempts made.
    pub attempts: i32,
    /// The last error.
    pub error: String,
}
