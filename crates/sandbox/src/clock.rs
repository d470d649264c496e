//! The stand-ins' own time, which tests may let pass.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use crate::host::lock;

/// Real time plus what was let pass. Clones share everything.
#[derive(Clone, Debug)]
pub struct Clock {
    ahead: Arc<Mutex<TimeDelta>>,
    moved: watch::Sender<u64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { ahead: Arc::default(), moved: watch::Sender::new(0) }
    }
}

impl Clock {
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + *lock(&self.ahead)
    }

    /// Moves the time forward at once: whatever was due in between happens now.
    pub fn pass(&self, time: Duration) {
        *lock(&self.ahead) += TimeDelta::from_std(time).unwrap_or(TimeDelta::days(365));
        self.moved.send_modify(|it| *it += 1);
    }

    /// Waits until `when`, by this clock.
    pub(crate) async fn until(&self, when: DateTime<Utc>) {
        let mut moved = self.moved.subscribe();
        while let Ok(left) = (when - self.now()).to_std() {
            if left.is_zero() {
                return;
            }
            // A clock that is moved wakes everybody to look again.
            let _ = tokio::time::timeout(left, moved.changed()).await;
        }
    }
}
