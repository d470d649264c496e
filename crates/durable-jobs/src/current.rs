//! What a handler may know about the attempt it is part of.

use std::future::Future;

tokio::task_local! {
    static CURRENT: Current;
}

/// The attempt that is running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The job's row.
    pub id: i64,
    /// Its worker.
    pub class: String,
    /// 1 for the first.
    pub attempt: i32,
    /// Attempts in all.
    pub max_attempts: i32,
}

impl Current {
    /// Will a failure now make the job dead?
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.attempt >= self.max_attempts
    }
}

/// The attempt this code runs in; `None` outside a job and in tasks that a job spawned.
#[must_use]
pub fn current() -> Option<Current> {
    CURRENT.try_with(Clone::clone).ok()
}

pub(crate) async fn scope<F: Future>(current: Current, work: F) -> F::Output {
    CURRENT.scope(current, work).await
}
