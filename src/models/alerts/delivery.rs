//! Messages that wait in `notifications`, on their way to an admin's chat.

use std::time::Duration;

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ConnectionTrait, EntityTrait};

use super::{Entity, Kind};
use crate::{
    adapters::telegram::{Button, Failure, Note},
    context::Nproxy,
    models::{clock, notifications, telegram_admins, throttles::Post},
};

/// Alerts in one message; of more it says how many there are.
const AT_ONCE: u64 = 15;

/// A message that waits for so long was missed by its job.
const MISSED: TimeDelta = TimeDelta::seconds(10);

/// Who sends to a chat says so again within this time: longer than a call to Telegram.
const SENDING: Duration = Duration::from_secs(60);

/// A pause that Telegram asks for is waited for when it is short; longer ones are the job's.
const SHORT_PAUSE: Duration = Duration::from_secs(10);
const PAUSES: u32 = 3;

/// Sends what waits for a chat, in one message where it is several things.
///
/// # Errors
/// Telegram does not take it now: the job is tried again. Or the database does not answer.
pub async fn deliver(ctx: &AppContext, chat: i64) -> Result<()> {
    let parts = ctx.parts();
    let Some(telegram) = parts.telegram() else {
        return Err(Error::string("there is no bot: TELEGRAM_BOT_TOKEN is not set"));
    };
    let Some(mut post) = Post::take(&ctx.db, &format!("telegram-chat:{chat}"), SENDING).await? else {
        return Err(Error::string("somebody else is sending to this chat"));
    };
    let mut pauses = 0;
    let sent = loop {
        let waiting = notifications::waiting_for_chat(&ctx.db, chat, AT_ONCE).await?;
        if waiting.is_empty() {
            break Ok(());
        }
        let note = if telegram_admins::paired(&ctx.db, chat).await?.is_some() {
            compose(&ctx.db, &waiting).await?
        } else {
            None
        };
        let outcome = match note {
            Some(note) => telegram.send(chat, &note).await.map(|()| true),
            // No longer an admin.
            None => Ok(false),
        };
        match outcome {
            Ok(true) => {
                for one in &waiting {
                    one.mark_sent(&ctx.db).await?;
                }
            }
            Ok(false) => give_up(ctx, &waiting, "not an admin any more").await?,
            Err(failure @ (Failure::Closed | Failure::Refused(_))) => {
                give_up(ctx, &waiting, &failure.to_string()).await?;
            }
            Err(Failure::Busy(pause)) if pause <= SHORT_PAUSE && pauses < PAUSES => {
                pauses += 1;
                tokio::time::sleep(pause).await;
            }
            Err(failure) => break Err(Error::Message(failure.to_string())),
        }
        if !post.keep(&ctx.db, SENDING).await? {
            break Err(Error::string("somebody else is sending to this chat"));
        }
    };
    post.leave(&ctx.db).await?;
    sent
}

async fn give_up(ctx: &AppContext, waiting: &[notifications::Model], why: &str) -> Result<()> {
    for one in waiting {
        one.mark_failed(&ctx.db, why).await?;
    }
    Ok(())
}

/// What has waited longer than its job should have needed: the job came too early, died, or nobody runs jobs.
///
/// # Errors
/// The database does not answer.
pub async fn deliver_missed(ctx: &AppContext) -> Result<()> {
    let before = clock::now(&ctx.db).await? - MISSED;
    for chat in notifications::chats_waiting(&ctx.db, before).await? {
        if let Err(error) = deliver(ctx, chat).await {
            tracing::warn!(%error, "an admin's messages wait");
        }
    }
    Ok(())
}

/// One message of all that waits; `None` when nothing of it can be said.
async fn compose(db: &impl ConnectionTrait, waiting: &[notifications::Model]) -> Result<Option<Note>> {
    let mut lines = Vec::new();
    let mut button = None;
    for one in waiting {
        let line = match one.kind() {
            notifications::Kind::Paired => {
                Some("You are paired: you can look after nproxy here. /help says what I can do.".to_owned())
            }
            notifications::Kind::Alert | notifications::Kind::AlertOver => {
                let Some(alert) = Entity::find_by_id(one.detail["alert"].as_i64().unwrap_or(0)).one(db).await? else {
                    continue;
                };
                if one.kind() == notifications::Kind::AlertOver {
                    let lasted = alert.closed_at.map(|end| lasted(end - alert.opened_at)).unwrap_or_default();
                    // Of payments there are many, and the title does not tell them apart.
                    let which =
                        if alert.kind() == Kind::Payment { format!("\n{}", alert.says()) } else { String::new() };
                    Some(format!("✅ Over: {}{lasted}{which}", alert.title()))
                } else {
                    button =
                        alert.detail["key"].as_i64().map(|key| Button::new(format!("Key {key}"), format!("key:{key}")));
                    Some(format!("⚠️ {}\n{}", alert.title(), alert.says()))
                }
            }
            // Letters to people have a mailbox.
            notifications::Kind::Receipt
            | notifications::Kind::Underpaid
            | notifications::Kind::Refunded
            | notifications::Kind::QuotaLow
            | notifications::Kind::RenewalDue
            | notifications::Kind::PlanEnded => None,
        };
        lines.extend(line);
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let button = button.filter(|_| lines.len() == 1);
    Ok(Some(Note::new(lines.join("\n\n")).row(button)))
}

/// ` (after 12 min)`
fn lasted(time: TimeDelta) -> String {
    match time.num_minutes() {
        0 => format!(" (after {} s)", time.num_seconds().max(1)),
        minutes @ 1..120 => format!(" (after {minutes} min)"),
        minutes => format!(" (after {} h)", minutes / 60),
    }
}
