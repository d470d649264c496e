//! What every test stands on: the whole application on a free port with its own database, folder and sandbox, and people
//! who use it over HTTP as a browser would.

mod app;
mod browser;
mod database;
mod html;
mod person;

pub use app::{Setup, TestApp};
pub use browser::{Browser, Screen, Scripts, Window};
pub use database::is_postgres;
pub use html::Html;
pub use person::{Answer, Person};

use std::{future::Future, time::Duration};

/// Longer than anything that works takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until the answer is there; fails the test when patience ends.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < end, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}
