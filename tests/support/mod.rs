//! What every test stands on: the whole application on a free port with its own database, folder and sandbox, and people
//! who use it over HTTP as a browser would.

mod app;
mod binary;
mod books;
mod browser;
pub mod bulk;
mod database;
pub mod devices;
pub mod hostile;
mod html;
pub mod line;
mod payments;
mod person;
pub mod pictures;
mod postgres;
mod process;
pub mod redis;
pub mod s3;
pub mod staff;
mod wishes;

pub use app::{Setup, TestApp};
pub use binary::{Finished, nproxy};
pub use browser::{Browser, Screen, Scripts, Window};
pub use database::{TestDatabase, is_postgres};
pub use html::{Filled, Html};
pub use payments::delivery_of;
pub use person::{Answer, Person};
pub use postgres::Postgres;
pub use process::Process;

use std::{future::Future, net::TcpListener, time::Duration};

/// Longer than anything that works takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Below those that the system hands out by itself, so that nobody takes it in between, or while its server is dead.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

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

/// Until the end of the scope, snapshots leave out what differs from run to run: ids, tokens, ports, moments.
pub fn redacted() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    for (pattern, name) in [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "PID"),
        (r"token=[A-Za-z0-9_-]{43}", "token=TOKEN"),
        (r"localhost:\d+", "localhost:PORT"),
        (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC", "TIME"),
        (r"\d{1,2} [A-Z][a-z]+ \d{4}, \d{2}:\d{2} UTC", "TIME"),
        (r"since \d{1,2} [A-Z][a-z]+ \d{4}", "since DAY"),
        (r"\b[0-9a-f]{12}\b", "REFERENCE"),
    ] {
        settings.add_filter(pattern, name);
    }
    settings.bind_to_scope()
}
