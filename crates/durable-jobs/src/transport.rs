//! How a runner learns that there is something to claim. The seam between one process and many.
//!
//! A transport carries hints and nothing else: a lost hint costs at most one poll, a double one a fruitless claim. A
//! transport over a broker is one more variant here and one more file.

use tokio::sync::Notify;

use crate::jobs::Enqueued;

/// The way hints travel.
pub(crate) enum Transport {
    /// Inside this process.
    Embedded(Embedded),
}

impl Transport {
    /// Tells some runner about a job that is due or soon will be. Never fails: a hint that cannot be sent is logged.
    #[allow(clippy::unused_async, reason = "a broker is asked over the network")]
    pub(crate) async fn notify(&self, job: &Enqueued) {
        match self {
            Self::Embedded(here) => here.notify(job),
        }
    }

    /// Returns once something was hinted since the last return.
    pub(crate) async fn wait(&self) {
        match self {
            Self::Embedded(here) => here.wait().await,
        }
    }
}

/// One stored wake-up: the runner claims until nothing is left, so more would be waste.
#[derive(Default)]
pub(crate) struct Embedded(Notify);

impl Embedded {
    fn notify(&self, _job: &Enqueued) {
        self.0.notify_one();
    }

    async fn wait(&self) {
        self.0.notified().await;
    }
}
