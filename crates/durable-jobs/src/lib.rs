//! Jobs whose truth is a database row: a queue provider for Loco.
//!
//! A job is inserted in the transaction of the change that needs it, claimed by one conditional update with a fencing
//! token, kept alive by a heartbeat and taken back by a reaper when its process dies. Whatever wakes a runner (an
//! in-process notification, or Redis in Sidekiq's wire format) is a hint: losing, doubling or reordering hints is harmless.
//!
//! ```no_run
//! # async fn example(db: sea_orm::DatabaseConnection) -> Result<(), sea_orm::DbErr> {
//! use durable_jobs::{DurableQueue, NewJob, Settings, enqueue, tx};
//!
//! let queue = DurableQueue::embedded(db.clone(), Settings::default());
//! let job = tx::write(&db, async |txn| {
//!     // ... the change itself, in the same transaction ...
//!     enqueue(txn, NewJob::new("FulfilRun", serde_json::json!({ "run": 7 })).unique("run:7")).await
//! })
//! .await?;
//! queue.hint(&[job]).await;
//! # Ok(())
//! # }
//! ```
//!
//! The crate's README has the promise, the picture of the states and what differs from Loco's own queues.

pub mod clock;
pub mod entity;
pub mod schema;
pub mod tx;

mod admin;
mod beat;
mod current;
mod jobs;
mod lease;
mod provider;
mod reaper;
mod redis;
mod runner;
mod settings;
mod timetable;
mod transport;

pub use admin::{CANCELLED, discard, retry, tidy};
pub use current::{Current, current};
pub use jobs::{DEFAULT_ATTEMPTS, DEFAULT_QUEUE, Enqueued, NewJob, enqueue};
pub use provider::DurableQueue;
pub use redis::{InvalidRedisUrl, RedisSettings};
pub use settings::{Backoff, DeadJob, OnDead, Settings};
pub use timetable::{InvalidSchedule, Recurring, Schedule};
