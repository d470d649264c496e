//! Jobs are doors: parse, load, one verb. The row in `jobs` is the truth; `enqueue` writes it in the caller's
//! transaction, and whoever commits hints the runners.

pub mod apply_payment;
pub mod deliver_mail;
pub mod deliver_notice;
pub mod deliver_telegram;
pub mod erase_conversation;
pub mod erase_files;
pub mod erase_picture;
pub mod fulfil_run;
pub mod prepare_export;
pub mod run_task;
pub mod tell_device;
pub mod tell_devices;

use std::time::Duration;

use durable_jobs::{Enqueued, NewJob};
use loco_rs::{Error, Result, bgworker::BackgroundWorker};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};

/// The queue of what takes long, because it waits for others. Not all slots of a process are for it, so that payments, mails
/// and tasks find one at any time.
pub const LONG: &str = "long";

/// A worker whose jobs can be enqueued inside a transaction.
pub trait Durable<A>: BackgroundWorker<A> + Sized
where
    A: Send + Sync + Serialize + for<'de> Deserialize<'de> + 'static,
{
    /// Tries in all before a job is dead.
    const ATTEMPTS: i32;

    /// At most one live job per key.
    fn unique_key(_args: &A) -> Option<String> {
        None
    }

    #[expect(async_fn_in_trait, reason = "only ever called on concrete workers of this crate")]
    async fn enqueue(db: &impl ConnectionTrait, args: &A) -> Result<Enqueued> {
        Self::enqueue_in(db, args, Duration::ZERO).await
    }

    /// Due only after `wait`.
    #[expect(async_fn_in_trait, reason = "only ever called on concrete workers of this crate")]
    async fn enqueue_in(db: &impl ConnectionTrait, args: &A, wait: Duration) -> Result<Enqueued> {
        let mut job = NewJob::new(Self::class_name(), serde_json::to_value(args).map_err(Error::wrap)?);
        if let Some(queue) = Self::queue() {
            job = if queue == LONG { job.on(queue).long() } else { job.on(queue) };
        }
        job.max_attempts = Self::ATTEMPTS;
        job.dedupe_key = Self::unique_key(args);
        job.run_in = (!wait.is_zero()).then_some(wait);
        Ok(durable_jobs::enqueue(db, job).await?)
    }
}
