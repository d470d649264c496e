//! The admins' bot inside the one process of a small installation; elsewhere it is a process of its own, `nproxy bot`.

use std::{sync::Arc, time::Duration};

use loco_rs::app::AppContext;
use tokio::{sync::Mutex, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{bot, context::Nproxy};

/// So long the bot may take to leave.
const GRACE: Duration = Duration::from_secs(3);

struct Running {
    stop: CancellationToken,
    work: Mutex<Option<JoinHandle<()>>>,
}

/// Starts it, if there is a token for one.
#[expect(clippy::disallowed_methods, reason = "it listens for as long as the process lives; what it hears is rows")]
pub fn begin(ctx: &AppContext) {
    if ctx.parts().telegram().is_none() {
        return;
    }
    let stop = CancellationToken::new();
    let work = {
        let (ctx, stop) = (ctx.clone(), stop.clone());
        tokio::spawn(async move { Box::pin(bot::run(&ctx, &stop)).await })
    };
    ctx.shared_store.insert(Arc::new(Running { stop, work: Mutex::new(Some(work)) }));
}

/// Leaves the reading of updates to the next process.
pub async fn end(ctx: &AppContext) {
    let Some(running) = ctx.shared_store.remove::<Arc<Running>>() else { return };
    running.stop.cancel();
    if let Some(work) = running.work.lock().await.take() {
        let _ended_or_late = tokio::time::timeout(GRACE, work).await;
    }
}
