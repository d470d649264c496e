//! Trouble that admins hear of in Telegram: opened once, told to each admin once, and told to be over when it is. It is
//! opened in the transaction of what went wrong, where there is one; what nobody's transaction says (a queue that stands
//! still, a job that died) is looked for. Messages wait in `notifications` and are sent by a job, several at once in one.

use std::time::Duration;

use chrono::TimeDelta;
use durable_jobs::{Enqueued, entity::job};
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait,
    EnumIter, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::{Value, json};

use super::{
    _entities::{
        alerts::{ActiveModel, Column, Entity},
        provider_keys,
    },
    backups, begin, clock, insert_new, notifications,
    provider_keys::{State, balance::dollars},
    telegram_admins, text,
    throttles::Post,
};
use crate::{
    adapters::telegram::{Button, Failure, Note},
    context::Nproxy,
    workers::{
        Durable,
        deliver_telegram::{Chat, DeliverTelegram},
    },
};

pub use super::_entities::alerts::Model;

/// What happens within this time comes in one message.
const GATHERED: Duration = Duration::from_secs(2);

/// Alerts in one message; of more it says how many there are.
const AT_ONCE: u64 = 15;

/// A due job that nobody has taken for so long: no worker runs, or all of them hang.
const QUEUE_STANDS: TimeDelta = TimeDelta::minutes(5);

/// Jobs that died longer ago than this are old news.
const NEWLY_DEAD: TimeDelta = TimeDelta::hours(1);

/// Guesses are over when the alarm is so old; who goes on guessing raises the next.
const GUESSES_OVER: TimeDelta = TimeDelta::hours(1);

/// A message that waits for so long was missed by its job.
const MISSED: TimeDelta = TimeDelta::seconds(10);

/// Who sends to a chat says so again within this time: longer than a call to Telegram.
const SENDING: Duration = Duration::from_secs(60);

/// A pause that Telegram asks for is waited for when it is short; longer ones are the job's.
const SHORT_PAUSE: Duration = Duration::from_secs(10);
const PAUSES: u32 = 3;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    /// A key is under review or out of funds: only an admin brings it back.
    KeyOut,
    /// One key is left in service.
    FewKeys,
    /// No key works at this moment.
    NoKeys,
    /// A whole provider is unwell.
    Incident,
    /// An account will be empty soon.
    BalanceLow,
    /// Money that is not as it should be. What one payment was stays; what a comparison found is over when the next one
    /// does not find it.
    Payment,
    QueueStuck,
    DeadJob,
    PairingGuesses,
    /// A night went by without a backup.
    BackupOld,
}

/// Something to hear of.
#[derive(Debug)]
pub enum Trouble<'a> {
    KeyOut {
        key: &'a provider_keys::Model,
        to: State,
        reason: &'a str,
    },
    FewKeys {
        provider: &'a str,
    },
    NoKeys {
        provider: &'a str,
    },
    Incident {
        provider: &'a str,
        class: &'a str,
    },
    BalanceLow {
        key: &'a provider_keys::Model,
        micros: i64,
    },
    /// What names the trouble, and what there is to say.
    Payment {
        subject: String,
        says: String,
    },
    QueueStuck {
        minutes: i64,
    },
    DeadJob {
        id: i64,
        class: &'a str,
        attempts: i32,
    },
    PairingGuesses,
    /// Since when, where there is a last one.
    BackupOld {
        hours: Option<i64>,
    },
}

impl Trouble<'_> {
    fn kind(&self) -> Kind {
        match self {
            Self::KeyOut { .. } => Kind::KeyOut,
            Self::FewKeys { .. } => Kind::FewKeys,
            Self::NoKeys { .. } => Kind::NoKeys,
            Self::Incident { .. } => Kind::Incident,
            Self::BalanceLow { .. } => Kind::BalanceLow,
            Self::Payment { .. } => Kind::Payment,
            Self::QueueStuck { .. } => Kind::QueueStuck,
            Self::DeadJob { .. } => Kind::DeadJob,
            Self::PairingGuesses => Kind::PairingGuesses,
            Self::BackupOld { .. } => Kind::BackupOld,
        }
    }

    /// What it is about: of one kind and subject there is one open alert.
    fn subject(&self) -> String {
        match self {
            Self::KeyOut { key, .. } | Self::BalanceLow { key, .. } => key_subject(key.id),
            Self::FewKeys { provider } | Self::NoKeys { provider } | Self::Incident { provider, .. } => {
                (*provider).to_owned()
            }
            Self::Payment { subject, .. } => subject.clone(),
            Self::DeadJob { id, .. } => format!("job:{id}"),
            Self::QueueStuck { .. } | Self::PairingGuesses | Self::BackupOld { .. } => "all".to_owned(),
        }
    }

    /// A title, which also says what is over then, and what to know or do.
    fn detail(&self) -> Value {
        match self {
            Self::KeyOut { key, to, reason } => json!({
                "key": key.id,
                "title": format!("Key {} ({}) is out of service", key.id, key.label),
                "says": match to {
                    State::OutOfFunds => format!("Its account cannot pay for the next picture ({reason})."),
                    State::Active | State::Cooldown | State::ManualReview | State::Disabled => {
                        format!("It needs a look ({reason}). It comes back only when you activate it.")
                    }
                },
            }),
            Self::FewKeys { provider } => json!({
                "title": format!("One {provider} key is left"),
                "says": "When it fails, nobody gets a picture. Add or activate keys.",
            }),
            Self::NoKeys { provider } => json!({
                "title": format!("No {provider} key works now"),
                "says": "Nobody gets a picture until a key is active again.",
            }),
            Self::Incident { provider, class } => json!({
                "title": format!("{provider} is unwell"),
                "says": format!("Several keys fail alike ({class}). No key is blamed; people wait inside their time."),
            }),
            Self::BalanceLow { key, micros } => json!({
                "key": key.id,
                "title": format!("The balance of key {} ({}) is low", key.id, key.label),
                "says": format!("{} are left.", dollars(*micros)),
            }),
            Self::Payment { says, .. } => json!({ "title": "A payment needs a look", "says": says }),
            Self::QueueStuck { minutes } => json!({
                "title": "The job queue stands still",
                "says": format!("A job that is due has waited for {minutes} minutes. Is a worker running?"),
            }),
            Self::DeadJob { id, class, attempts } => json!({
                "title": format!("A job has died: {class}"),
                "says": format!(
                    "Job {id} failed {attempts} times and is not tried again. nproxy task job_list shows why, \
                     nproxy task job_retry job:{id} tries it once more."
                ),
            }),
            Self::PairingGuesses => json!({
                "title": "Somebody guesses pairing codes",
                "says": "Too many wrong codes were typed at the server's console. Further ones are refused for a while.",
            }),
            Self::BackupOld { hours } => json!({
                "title": "The last backup is old",
                "says": match hours {
                    Some(hours) => format!("It was taken {hours} hours ago. nproxy task backup says why none followed."),
                    None => "None was ever taken. nproxy task backup says why.".to_owned(),
                },
            }),
        }
    }
}

fn key_subject(id: i64) -> String {
    format!("key:{id}")
}

/// Opens an alert, in the transaction of what went wrong, and puts it on its way to every admin; nothing happens while the
/// same is open. The jobs need no hint: they wait a moment for what else comes.
///
/// # Errors
/// The database does not answer.
pub async fn raise(txn: &DatabaseTransaction, trouble: &Trouble<'_>) -> Result<Vec<Enqueued>> {
    let (kind, subject) = (trouble.kind(), trouble.subject());
    // Most troubles are told of again and again: a look first keeps the sequence of ids and the locks of others free.
    if open_one(txn, kind, &subject).await?.is_some() {
        return Ok(Vec::new());
    }
    let row = ActiveModel {
        kind: Set(text(kind)),
        subject: Set(subject.clone()),
        detail: Set(trouble.detail()),
        opened_at: Set(clock::now(txn).await?),
        ..Default::default()
    };
    if !insert_new(txn, row).await? {
        return Ok(Vec::new());
    }
    let alert = open_one(txn, kind, &subject).await?.ok_or(Error::NotFound)?;
    tracing::warn!(alert.id, kind = alert.kind, subject, "admins are told");
    alert.tell(txn, notifications::Kind::Alert).await
}

/// The trouble is over; nothing happens when there was none.
///
/// # Errors
/// The database does not answer.
pub async fn over(txn: &DatabaseTransaction, kind: Kind, subject: &str) -> Result<Vec<Enqueued>> {
    let Some(alert) = open_one(txn, kind, subject).await? else { return Ok(Vec::new()) };
    let closed = Entity::update_many()
        .col_expr(Column::ClosedAt, Expr::value(clock::now(txn).await?))
        .filter(Column::Id.eq(alert.id))
        .filter(Column::ClosedAt.is_null())
        .exec(txn)
        .await?;
    if closed.rows_affected == 0 {
        return Ok(Vec::new());
    }
    alert.tell(txn, notifications::Kind::AlertOver).await
}

/// Opens or closes, as it is now.
///
/// # Errors
/// The database does not answer.
pub async fn when(txn: &DatabaseTransaction, is_so: bool, trouble: &Trouble<'_>) -> Result<Vec<Enqueued>> {
    if is_so { raise(txn, trouble).await } else { over(txn, trouble.kind(), &trouble.subject()).await }
}

/// A key has moved: is it out, and how many are left?
pub(super) async fn follow_key(
    txn: &DatabaseTransaction,
    key: &provider_keys::Model,
    to: State,
    reason: &str,
) -> Result<()> {
    let is_out = matches!(to, State::OutOfFunds | State::ManualReview);
    when(txn, is_out, &Trouble::KeyOut { key, to, reason }).await?;
    let provider = key.provider.as_str();
    let states: Vec<(String, i64)> = provider_keys::Entity::find()
        .filter(provider_keys::Column::Provider.eq(provider))
        .select_only()
        .column(provider_keys::Column::State)
        .column_as(provider_keys::Column::Id.count(), "keys")
        .group_by(provider_keys::Column::State)
        .into_tuple()
        .all(txn)
        .await?;
    let count = |state: State| states.iter().filter(|(it, _)| *it == text(state)).map(|(_, n)| n).sum::<i64>();
    let (active, resting) = (count(State::Active), count(State::Cooldown));
    let all: i64 = states.iter().map(|(_, n)| n).sum();
    when(txn, active == 0, &Trouble::NoKeys { provider }).await?;
    // A pool that never had more than one key has lost none.
    match active + resting {
        0 => {}
        1 if all > 1 => drop(raise(txn, &Trouble::FewKeys { provider }).await?),
        _ => drop(over(txn, Kind::FewKeys, provider).await?),
    }
    Ok(())
}

/// Looks for what nobody's transaction tells of. Scheduled, and done by the bot's own process, which still runs when no
/// worker does.
///
/// # Errors
/// The database does not answer.
pub async fn look(ctx: &AppContext) -> Result<()> {
    let txn = begin(&ctx.db).await?;
    let now = clock::now(&txn).await?;
    let waiting = job::Entity::find()
        .filter(job::Column::State.eq(job::State::Queued))
        .filter(job::Column::RunAt.lte(now - QUEUE_STANDS))
        .order_by_asc(job::Column::RunAt)
        .select_only()
        .column(job::Column::RunAt)
        .into_tuple::<sea_orm::prelude::DateTimeUtc>()
        .one(&txn)
        .await?;
    let minutes = waiting.map_or(0, |since| (now - since).num_minutes());
    when(&txn, waiting.is_some(), &Trouble::QueueStuck { minutes }).await?;
    look_for_the_dead(&txn).await?;
    let backups = backups::standing(ctx, &txn).await?;
    let is_old = backups.as_ref().is_some_and(|it| it.is_late);
    let hours = backups.and_then(|it| it.last).map(|last| (now - last.taken_at).num_hours());
    when(&txn, is_old, &Trouble::BackupOld { hours }).await?;
    if let Some(alarm) = open_one(&txn, Kind::PairingGuesses, "all").await?
        && alarm.opened_at <= now - GUESSES_OVER
    {
        over(&txn, Kind::PairingGuesses, "all").await?;
    }
    txn.commit().await?;
    Ok(())
}

async fn look_for_the_dead(txn: &DatabaseTransaction) -> Result<()> {
    let since = clock::now(txn).await? - NEWLY_DEAD;
    let dead: Vec<(i64, String, i32, Option<String>)> = job::Entity::find()
        .filter(job::Column::State.eq(job::State::Dead))
        .filter(job::Column::FinishedAt.gt(since))
        .order_by_asc(job::Column::Id)
        .select_only()
        .columns([job::Column::Id, job::Column::Class, job::Column::Attempts, job::Column::LastError])
        .into_tuple()
        .all(txn)
        .await?;
    // An operator who cancels a job knows.
    let dead = dead.iter().filter(|(_, _, _, error)| error.as_deref() != Some("cancelled"));
    for (id, class, attempts, _) in dead {
        raise(txn, &Trouble::DeadJob { id: *id, class, attempts: *attempts }).await?;
    }
    for alert in open(txn, Some(Kind::DeadJob)).await? {
        let id = alert.subject.strip_prefix("job:").and_then(|id| id.parse::<i64>().ok());
        let still = job::Entity::find()
            .filter(job::Column::Id.eq(id))
            .filter(job::Column::State.eq(job::State::Dead))
            .count(txn)
            .await?;
        if still == 0 {
            over(txn, Kind::DeadJob, &alert.subject).await?;
        }
    }
    Ok(())
}

/// Of the payments whose alerts begin with `prefix`, these are what is wrong now: others are over.
pub(super) async fn payments(txn: &DatabaseTransaction, prefix: &str, wrong: Vec<(String, String)>) -> Result<()> {
    for alert in open(txn, Some(Kind::Payment)).await? {
        if alert.subject.starts_with(prefix) && !wrong.iter().any(|(subject, _)| *subject == alert.subject) {
            over(txn, Kind::Payment, &alert.subject).await?;
        }
    }
    for (subject, says) in wrong {
        raise(txn, &Trouble::Payment { subject, says }).await?;
    }
    Ok(())
}

/// What is wrong now, of one kind or of all, the oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn open(db: &impl ConnectionTrait, kind: Option<Kind>) -> Result<Vec<Model>> {
    let mut open = Entity::find().filter(Column::ClosedAt.is_null());
    if let Some(kind) = kind {
        open = open.filter(Column::Kind.eq(text(kind)));
    }
    Ok(open.order_by_asc(Column::Id).all(db).await?)
}

async fn open_one(db: &impl ConnectionTrait, kind: Kind, subject: &str) -> Result<Option<Model>> {
    let one = Entity::find()
        .filter(Column::Kind.eq(text(kind)))
        .filter(Column::Subject.eq(subject))
        .filter(Column::ClosedAt.is_null());
    Ok(one.one(db).await?)
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "only this file writes alerts.kind")]
    pub fn kind(&self) -> Kind {
        Kind::try_from_value(&self.kind).expect("alerts.kind")
    }

    #[must_use]
    pub fn title(&self) -> &str {
        self.detail["title"].as_str().unwrap_or(&self.subject)
    }

    fn says(&self) -> &str {
        self.detail["says"].as_str().unwrap_or_default()
    }

    /// To every admin once. Of an end only those hear who heard of the trouble.
    async fn tell(&self, txn: &DatabaseTransaction, kind: notifications::Kind) -> Result<Vec<Enqueued>> {
        let is_end = kind == notifications::Kind::AlertOver;
        let mut jobs = Vec::new();
        for admin in telegram_admins::list(txn).await? {
            let chat = admin.telegram_id;
            let heard = format!("alert:{}:{chat}", self.id);
            if is_end && !notifications::is_told(txn, &heard).await? {
                continue;
            }
            let key = if is_end { format!("{heard}:over") } else { heard };
            if notifications::to_chat(txn, kind, key, chat, json!({ "alert": self.id })).await? {
                jobs.push(DeliverTelegram::enqueue_in(txn, &Chat { chat }, GATHERED).await?);
            }
        }
        Ok(jobs)
    }
}

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
