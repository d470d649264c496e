//! Being told of hints, so that nobody waits for the next look. A message that is lost, or not sent because a client of
//! another kind pushed, costs the time until that look and nothing else.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use sea_orm::DbErr;
use tokio::time::{Instant, timeout_at};

use super::{Redis, key};

/// A connection may be dead without a word, so a new one is made after this. Shorter than a pass of a loop may take.
const RENEWED_EVERY: Duration = Duration::from_secs(20);

pub(super) async fn pass(redis: &Arc<Redis>) -> Result<Duration, DbErr> {
    let until = Instant::now() + RENEWED_EVERY;
    let mut channel = redis.link.subscribe(key::HINTS).await?;
    let mut messages = channel.on_message();
    while let Ok(message) = timeout_at(until, messages.next()).await {
        if message.is_none() {
            return Ok(redis.settings.look_every); // Redis hung up
        }
        redis.told.notify_one();
    }
    Ok(Duration::ZERO)
}
