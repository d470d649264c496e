//! The admins' Telegram bot: a door onto the same verbs as the pages and the tasks. `nproxy bot` runs it as a process of
//! its own; one process at a time reads, and whatever is away, Telegram or the database, is waited for.

mod answers;
mod commands;
mod pages;

use std::{collections::HashMap, time::Duration};

use loco_rs::{Result, app::AppContext};
use tokio_util::sync::CancellationToken;

use crate::{
    context::Nproxy,
    models::{
        alerts,
        telegram_updates::{self, Failure, Reader},
    },
};

/// How often a process that does not read looks whether it may.
const STAND_BY: Duration = Duration::from_secs(5);

/// Pauses when something is away: this, then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// An update that fails so often is left out, so that it does not keep everybody else's waiting.
const TRIES: u32 = 5;

/// How often alerts are looked for that nobody's transaction tells of.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Reads updates and watches, until `stop`.
pub async fn run(ctx: &AppContext, stop: &CancellationToken) {
    tokio::join!(listen(ctx, stop), watch(ctx, stop));
}

async fn listen(ctx: &AppContext, stop: &CancellationToken) {
    let mut pauses = Pauses::default();
    while !stop.is_cancelled() {
        let pause = match Reader::take(ctx).await {
            Ok(Some(reader)) => {
                tracing::info!("the bot reads");
                read_on(ctx, reader, stop).await
            }
            Ok(None) => Ok(STAND_BY),
            Err(error) => Err(error),
        };
        let pause = pause.unwrap_or_else(|error| {
            let pause = pauses.longer();
            tracing::warn!(%error, pause_s = pause.as_secs(), "the bot cannot read");
            pause
        });
        sleep(pause, stop).await;
    }
}

/// For as long as this process may read; answers how long to wait before it asks for that again.
async fn read_on(ctx: &AppContext, mut reader: Reader, stop: &CancellationToken) -> Result<Duration> {
    let mut pauses = Pauses::default();
    let mut tries = Tries::default();
    let mut has_offered = false;
    while reader.keep(ctx).await? {
        let news = tokio::select! {
            news = reader.read(ctx) => news?,
            () = stop.cancelled() => break,
        };
        let pause = match news {
            Ok(updates) => {
                if !has_offered {
                    has_offered = commands::offer(ctx).await;
                }
                match answers::to_all(ctx, &updates, &mut tries).await {
                    Ok(()) => {
                        pauses = Pauses::default();
                        continue;
                    }
                    Err(error) => {
                        let pause = pauses.longer();
                        tracing::warn!(%error, pause_s = pause.as_secs(), "an update waits");
                        pause
                    }
                }
            }
            Err(failure) => {
                let pause = pauses.after(&failure);
                tracing::warn!(%failure, pause_s = pause.as_secs(), "Telegram gives no updates");
                if failure == Failure::Webhook {
                    forget_webhook(ctx).await;
                }
                pause
            }
        };
        sleep(pause, stop).await;
    }
    reader.leave(ctx).await?;
    Ok(STAND_BY)
}

/// A webhook of an earlier life keeps this bot from reading.
async fn forget_webhook(ctx: &AppContext) {
    let parts = ctx.parts();
    let Some(telegram) = parts.telegram() else { return };
    match telegram.forget_webhook().await {
        Ok(()) => tracing::warn!("a webhook was set for this bot, and is removed: the bot asks for its updates"),
        Err(failure) => tracing::warn!(%failure, "the webhook of this bot stays"),
    }
}

/// Alerts that no worker looks for or sends, because none runs.
async fn watch(ctx: &AppContext, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let looked = async {
            alerts::look(ctx).await?;
            alerts::deliver_missed(ctx).await
        };
        if let Err(error) = looked.await {
            tracing::warn!(%error, "alerts cannot be looked for");
        }
        sleep(LOOK_EVERY, stop).await;
    }
}

async fn sleep(time: Duration, stop: &CancellationToken) {
    tokio::select! { () = tokio::time::sleep(time) => {}, () = stop.cancelled() => {} }
}

#[derive(Default)]
struct Pauses(u32);

impl Pauses {
    fn longer(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.0.min(10)).min(LONGEST_PAUSE);
        self.0 += 1;
        pause
    }

    fn after(&mut self, failure: &Failure) -> Duration {
        match failure {
            Failure::Busy(asked) => *asked,
            // The other reader ends its question within the time of one.
            Failure::Conflict => STAND_BY,
            Failure::Token => LONGEST_PAUSE,
            Failure::Webhook | Failure::Closed | Failure::Refused(_) | Failure::Silent(_) => self.longer(),
        }
    }
}

/// How often each update has failed.
#[derive(Default)]
struct Tries(HashMap<i64, u32>);

impl Tries {
    /// `true` when there was one too many.
    fn count(&mut self, update: i64) -> bool {
        let tries = self.0.entry(update).or_default();
        *tries += 1;
        *tries >= TRIES
    }

    async fn leave_out(&mut self, ctx: &AppContext, update: &telegram_updates::Update) -> Result<()> {
        self.0.remove(&update.id);
        tracing::error!(update = update.id, "an update fails again and again, and is left out");
        telegram_updates::seen(ctx, update).await.map(drop)
    }
}
