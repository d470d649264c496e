//! What a handler may know about the attempt it is part of, and what it may do to it.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sea_orm::{DatabaseTransaction, DbErr};

use crate::lease::{self, Lease};

tokio::task_local! {
    static ATTEMPT: Attempt;
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

/// An attempt as its handler sees it and its runner hears of it.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub current: Current,
    pub lease: Lease,
    pub completion: Completion,
}

/// Whether the handler has written down itself that the job is done.
#[derive(Clone, Default)]
pub(crate) struct Completion(Arc<AtomicBool>);

impl Completion {
    pub(crate) fn is_claimed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The attempt this code runs in; `None` outside a job and in tasks that a job spawned.
#[must_use]
pub fn current() -> Option<Current> {
    ATTEMPT.try_with(|attempt| attempt.current.clone()).ok()
}

/// The job is done when this transaction is committed, which holds the last of its work: either both count, or neither. The
/// handler answers `Ok` after that; should the transaction not be committed, it answers with the error. `false` when there is
/// no attempt here, or the job is somebody else's by now, who will find the work done.
///
/// # Errors
/// The database does not answer.
pub async fn complete(txn: &DatabaseTransaction) -> Result<bool, DbErr> {
    let Ok(attempt) = ATTEMPT.try_with(Clone::clone) else { return Ok(false) };
    let is_ours = lease::finish(txn, attempt.lease).await?;
    attempt.completion.0.store(is_ours, Ordering::Release);
    Ok(is_ours)
}

pub(crate) async fn scope<F: Future>(attempt: Attempt, work: F) -> F::Output {
    ATTEMPT.scope(attempt, work).await
}
