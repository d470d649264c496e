//! Loops that never die: a failing pass is logged once per streak, waited out and tried again.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

/// Waits between failing passes double from here …
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// … up to here.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A pass that takes longer is given up: a database that hangs must not hang the loop.
const LONGEST_PASS: Duration = Duration::from_secs(30);

/// Consecutive failures of one activity.
pub(crate) struct Streak {
    doing: &'static str,
    failures: u32,
}

impl Streak {
    pub(crate) fn new(doing: &'static str) -> Self {
        Self { doing, failures: 0 }
    }

    pub(crate) fn ended(&mut self) {
        if self.failures > 0 {
            tracing::info!(doing = self.doing, failures = self.failures, "jobs: recovered");
            self.failures = 0;
        }
    }

    /// Notes a failure and answers how long to wait before the next try.
    pub(crate) fn failed(&mut self, error: &DbErr) -> Duration {
        if self.failures == 0 {
            tracing::warn!(doing = self.doing, %error, "jobs: failed, will keep trying");
        }
        self.failures = self.failures.saturating_add(1);
        FIRST_WAIT.saturating_mul(1 << (self.failures - 1).min(10)).min(LONGEST_WAIT)
    }
}

/// Does `pass` again and again until `stop`. A pass answers how long to rest before the next one.
pub(crate) async fn every<F, P>(stop: CancellationToken, doing: &'static str, mut pass: P)
where
    F: Future<Output = Result<Duration, DbErr>>,
    P: FnMut() -> F,
{
    let mut streak = Streak::new(doing);
    let forever = async {
        loop {
            let rest = match AssertUnwindSafe(within(LONGEST_PASS, pass())).catch_unwind().await {
                Ok(Ok(rest)) => {
                    streak.ended();
                    rest
                }
                Ok(Err(error)) => streak.failed(&error),
                Err(_panic) => streak.failed(&DbErr::Custom("panicked".to_owned())),
            };
            tokio::time::sleep(rest).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = forever => {}
    }
}

/// `ask`, but not for longer than `limit`: a database that hangs must not hang its users.
pub(crate) async fn within<T>(limit: Duration, ask: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let late = || DbErr::Custom(format!("no answer from the database within {limit:?}"));
    tokio::time::timeout(limit, ask).await.unwrap_or_else(|_| Err(late()))
}
