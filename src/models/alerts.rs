//! Trouble that admins hear of in Telegram: opened once, told to each admin once, and told to be over when it is. It is
//! opened in the transaction of what went wrong, where there is one; what nobody's transaction says (a queue that stands
//! still, a job that died) is looked for. Messages wait in `notifications` and are sent by a job, several at once in one.

mod delivery;
mod trouble;

use std::{collections::BTreeMap, time::Duration};

use chrono::TimeDelta;
use durable_jobs::{Enqueued, entity::job};
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Select, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;

use super::{
    _entities::{
        alerts::{ActiveModel, Column, Entity},
        provider_keys,
    },
    backups, begin, clock, insert_new,
    job_queue::{self, GivenUp},
    notifications,
    provider_keys::{State, exclusions},
    telegram_admins, text,
};
use crate::workers::{
    Durable,
    deliver_telegram::{Chat, DeliverTelegram},
    run_task::Entry as Task,
};

pub use super::_entities::alerts::Model;
pub use delivery::{deliver, deliver_missed};
pub use trouble::{Kind, Trouble};

/// What happens within this time comes in one message.
const GATHERED: Duration = Duration::from_secs(2);

/// A due job that nobody has taken for so long: no worker runs, or all of them hang.
const QUEUE_STANDS: TimeDelta = TimeDelta::minutes(5);

/// Jobs that died longer ago than this are old news.
const NEWLY_DEAD: TimeDelta = TimeDelta::hours(1);

/// Guesses are over when the alarm is so old; who goes on guessing raises the next.
const GUESSES_OVER: TimeDelta = TimeDelta::hours(1);

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
    // Before the transaction, in which on `SQLite` nobody else writes.
    let given_up = job_queue::given_up(&ctx.db).await?;
    let txn = begin(&ctx.db).await?;
    let now = clock::now(&txn).await?;
    let waiting = job::Entity::find()
        .filter(job::Column::State.eq(job::State::Queued))
        .filter(job::Column::RunAt.lte(now - QUEUE_STANDS))
        .order_by_asc(job::Column::RunAt)
        .select_only()
        .column(job::Column::RunAt)
        .into_tuple::<DateTimeUtc>()
        .one(&txn)
        .await?;
    let minutes = waiting.map_or(0, |since| (now - since).num_minutes());
    when(&txn, waiting.is_some(), &Trouble::QueueStuck { minutes }).await?;
    follow_given_up(&txn, &given_up, now - NEWLY_DEAD).await?;
    let backups = backups::standing(ctx, &txn).await?;
    let is_old = backups.as_ref().is_some_and(|it| it.is_late);
    let hours = backups.and_then(|it| it.last).map(|last| (now - last.taken_at).num_hours());
    when(&txn, is_old, &Trouble::BackupOld { hours }).await?;
    exclusions::follow(ctx, &txn).await?;
    if let Some(alarm) = open_one(&txn, Kind::PairingGuesses, "all").await?
        && alarm.opened_at <= now - GUESSES_OVER
    {
        over(&txn, Kind::PairingGuesses, "all").await?;
    }
    txn.commit().await?;
    Ok(())
}

/// What was given up after `since` is news; what was told of before is over when it is given up no more.
async fn follow_given_up(txn: &DatabaseTransaction, given_up: &[GivenUp], since: DateTimeUtc) -> Result<()> {
    let mut troubles = BTreeMap::new();
    for job in given_up {
        // Of one task the newest job speaks.
        let trouble = of_given_up(job);
        troubles.insert(trouble.subject(), (job.finished_at > since, trouble));
    }
    for alert in open(txn, Some(Kind::DeadJob)).await? {
        match troubles.get_mut(&alert.subject) {
            Some((is_news, _)) => *is_news = false,
            None => drop(over(txn, Kind::DeadJob, &alert.subject).await?),
        }
    }
    for (_, trouble) in troubles.values().filter(|(is_news, _)| *is_news) {
        raise(txn, trouble).await?;
    }
    Ok(())
}

fn of_given_up(job: &GivenUp) -> Trouble<'_> {
    match Task::of_job(&job.class, &job.args) {
        Some(task) => Trouble::DeadTask { id: job.id, task: task.to_string(), attempts: job.attempts },
        None => Trouble::DeadJob { id: job.id, class: &job.class, attempts: job.attempts },
    }
}

/// Of this kind, these are what is wrong now: others are over.
pub(super) async fn only(txn: &DatabaseTransaction, kind: Kind, wrong: &[Trouble<'_>]) -> Result<()> {
    for alert in open(txn, Some(kind)).await? {
        if !wrong.iter().any(|trouble| trouble.subject() == alert.subject) {
            over(txn, kind, &alert.subject).await?;
        }
    }
    for trouble in wrong {
        raise(txn, trouble).await?;
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
    Ok(are_open(kind).order_by_asc(Column::Id).all(db).await?)
}

pub(super) fn are_open(kind: Option<Kind>) -> Select<Entity> {
    let open = Entity::find().filter(Column::ClosedAt.is_null());
    match kind {
        Some(kind) => open.filter(Column::Kind.eq(text(kind))),
        None => open,
    }
}

pub(super) async fn open_one(db: &impl ConnectionTrait, kind: Kind, subject: &str) -> Result<Option<Model>> {
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
