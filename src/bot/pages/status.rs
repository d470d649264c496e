//! How everything stands, on one page.

use std::fmt::Write;

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};

use super::words::{button, moment};
use crate::models::{
    alerts, clock, job_queue,
    provider_keys::{self, State},
    runs,
    switches::{self, Switch},
    telegram_confirmations::{Deed, Press},
    telegram_updates::Note,
};

/// What is counted of the runs.
const RECENTLY: TimeDelta = TimeDelta::hours(1);

/// Alerts on the page.
const SHOWN: usize = 10;

pub async fn status(ctx: &AppContext) -> Result<Note> {
    let alerts = alerts::open(&ctx.db, None).await?;
    let mut text = match alerts.len() {
        0 => "✅ All is well".to_owned(),
        1 => "⚠️ One thing needs a look".to_owned(),
        many => format!("⚠️ {many} things need a look"),
    };
    for alert in alerts.iter().take(SHOWN) {
        let _ = write!(text, "\n• {}", alert.title());
    }
    if alerts.len() > SHOWN {
        let _ = write!(text, "\n• … and {} more", alerts.len() - SHOWN);
    }
    let _ = write!(text, "\n\nKeys: {}", keys(ctx).await?);
    let queue = job_queue::queue(&ctx.db).await?;
    let _ = write!(text, "\nJobs: {} running, {} waiting", queue.running, queue.waiting);
    if queue.waiting > 0 {
        let _ = write!(text, " (the first for {} s)", queue.oldest.num_seconds());
    }
    let _ = write!(text, ", {} dead", queue.dead);
    let _ = write!(text, "\nRuns of the last hour: {}", ended(ctx).await?);
    let paused = switches::thrown(&ctx.db).await?;
    let paused = paused.get(Switch::GenerationPaused).map(|row| moment(&row.thrown_at));
    let change = match paused {
        Some(since) => {
            let _ = write!(text, "\nPictures: paused since {since}");
            button("Resume…", &Press::Ask(Deed::Resume))
        }
        None => button("Pause…", &Press::Ask(Deed::Pause { sentence: String::new() })),
    };
    let row =
        [button("Keys", &Press::Keys(0)), button("Balances", &Press::Balances), change, button("↻", &Press::Status)];
    Ok(Note::new(text).row(row))
}

async fn keys(ctx: &AppContext) -> Result<String> {
    let all = provider_keys::list(&ctx.db).await?;
    let count = |state: State| all.iter().filter(|key| key.state() == state).count();
    let counts = [
        (count(State::Active), "active"),
        (count(State::Cooldown), "resting"),
        (count(State::ManualReview), "in review"),
        (count(State::OutOfFunds), "out of funds"),
        (count(State::Disabled), "disabled"),
    ];
    let parts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    Ok(if parts.is_empty() { "none".to_owned() } else { parts.join(", ") })
}

async fn ended(ctx: &AppContext) -> Result<String> {
    let since = clock::now(&ctx.db).await? - RECENTLY;
    let counts = runs::ended_since(&ctx.db, since).await?;
    let count = |state: runs::State| counts.iter().filter(|(it, _)| *it == state).map(|(_, n)| n).sum::<i64>();
    let (made, failed) = (count(runs::State::Succeeded), count(runs::State::Failed));
    Ok(format!("{made} made, {failed} failed, {} canceled", count(runs::State::Canceled)))
}
