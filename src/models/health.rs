//! What the site needs, part by part: asked all at once, each with its own patience, so that the page comes also when one
//! of them does not answer. A part that is down says what to do about it.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::{join, join_all};
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, prelude::DateTimeUtc};
use tokio::time::timeout;

use super::{
    _entities::proxies,
    backups, clock,
    provider_keys::{State, exclusions},
    room::{self, MIB},
    standing,
};
use crate::{
    adapters::{mail, payments::Processor},
    context::Nproxy,
};

/// A part that takes longer is down.
const PATIENCE: Duration = Duration::from_secs(5);

/// A job that is due for so long is not being worked on.
const STUCK: TimeDelta = TimeDelta::minutes(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Well,
    /// It works, and somebody should look.
    Warns,
    Down,
    /// Not part of this installation.
    Absent,
}

/// One part, and how it is.
#[derive(Debug, Clone)]
pub struct Part {
    pub name: String,
    pub condition: Condition,
    pub says: String,
    /// The page or the command that helps; empty when nothing is wrong.
    pub remedy: &'static str,
}

impl Part {
    fn new(name: impl Into<String>, condition: Condition, says: impl Into<String>, remedy: &'static str) -> Self {
        Self { name: name.into(), condition, says: says.into(), remedy }
    }

    fn down(name: impl Into<String>, says: impl Into<String>, remedy: &'static str) -> Self {
        Self::new(name, Condition::Down, says, remedy)
    }

    fn well(name: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(name, Condition::Well, says, "")
    }
}

/// Looks at every part. Nothing is an error: a part that cannot be asked is down.
pub async fn look(ctx: &AppContext) -> Vec<Part> {
    let own = async {
        let (database, jobs, storage) = tokio::join!(database(ctx), jobs(ctx), storage(ctx));
        let (redis, mail, keys, models, proxies) =
            tokio::join!(redis(ctx), mail(ctx), keys(ctx), models(ctx), proxies(ctx));
        vec![database, jobs, redis, storage, mail, keys, models, proxies]
    };
    let (mut parts, processors) = join(own, processors(ctx)).await;
    parts.extend(processors);
    let (disk, backups) = join(disk(ctx), backups(ctx)).await;
    parts.extend([disk, backups]);
    parts
}

async fn disk(ctx: &AppContext) -> Part {
    const MAKE_ROOM: &str = "make room: nothing can be stored on a full disk";
    let Some(room) = timeout(PATIENCE, room::least(ctx)).await.unwrap_or(None) else {
        return Part::down("Disk", "does not answer", "look at STORAGE_DIR and at what is mounted there");
    };
    let says = format!("{} of {} MiB left at {}", room.free / MIB, room.all / MIB, room.folder.display());
    if room.is_full() {
        return Part::down("Disk", says, MAKE_ROOM);
    }
    if room.is_scarce() { Part::new("Disk", Condition::Warns, says, MAKE_ROOM) } else { Part::well("Disk", says) }
}

async fn backups(ctx: &AppContext) -> Part {
    const NAME: &str = "Backups";
    let asked = in_time(async { Ok((backups::standing(ctx, &ctx.db).await?, clock::now(&ctx.db).await?)) }).await;
    let Some((standing, now)) = asked else { return Part::down(NAME, "cannot be asked for", "the database first") };
    let Some(standing) = standing else {
        let remedy = "set BACKUP_RECIPIENT and BACKUP_DIR; nproxy task backup_identity makes the key";
        return Part::new(NAME, Condition::Warns, "never: none are taken", remedy);
    };
    let says = match &standing.last {
        Some(last) => format!("the last one was taken {} hours ago", (now - last.taken_at).num_hours()),
        None => "none was taken yet".to_owned(),
    };
    if standing.is_late {
        Part::down(NAME, says, "nproxy task backup says why none followed")
    } else {
        Part::well(NAME, says)
    }
}

/// Jobs are rows: without Redis they run all the same, only later.
async fn redis(ctx: &AppContext) -> Part {
    match timeout(PATIENCE, ctx.parts().jobs().redis_answers()).await.unwrap_or(Some(false)) {
        Some(true) => Part::well("Redis", "answers"),
        Some(false) => Part::down(
            "Redis",
            "does not answer; jobs run all the same, up to a second later",
            "look at its log; REDIS_URL says where it is",
        ),
        None => Part::new("Redis", Condition::Absent, "not configured: jobs wake each other within the process", ""),
    }
}

async fn database(ctx: &AppContext) -> Part {
    match in_time(async { Ok(ctx.db.ping().await?) }).await {
        Some(()) => Part::well("Database", "answers"),
        None => Part::down("Database", "does not answer", "look at its log; DATABASE_URL says where it is"),
    }
}

async fn jobs(ctx: &AppContext) -> Part {
    let asked = in_time(async { Ok((standing::queue(&ctx.db).await?, clock::now(&ctx.db).await?)) }).await;
    let Some((queue, now)) = asked else {
        return Part::down("Jobs", "cannot be counted", "the database first: jobs are rows of it");
    };
    let says = format!("{} due, {} under way, {} given up", queue.ready, queue.running, queue.dead);
    if queue.waits_since.is_some_and(|since| now - since > STUCK) {
        let says = format!("{says}; the oldest has been due for {}", in_words(now, queue.waits_since));
        return Part::down("Jobs", says, "is a worker running? nproxy start --all or --worker");
    }
    match queue.dead {
        0 => Part::well("Jobs", says),
        _ => Part::new("Jobs", Condition::Warns, says, "look at what was given up under Jobs"),
    }
}

fn in_words(now: DateTimeUtc, since: Option<DateTimeUtc>) -> String {
    format!("{} minutes", since.map_or(0, |since| (now - since).num_minutes()))
}

async fn storage(ctx: &AppContext) -> Part {
    match in_time(async { ctx.parts().store().check().await }).await {
        Some(()) => Part::well("Storage", "pictures can be stored"),
        None => Part::down(
            "Storage",
            "pictures cannot be stored",
            "look at STORAGE_DIR or at the bucket, and at the free space",
        ),
    }
}

async fn mail(ctx: &AppContext) -> Part {
    let parts = ctx.parts();
    let smtp = parts.config().mailer.as_ref().and_then(|mailer| mailer.smtp.as_ref()).filter(|smtp| smtp.enable);
    let Some(smtp) = smtp else {
        return Part::down("Mail", "no server is set: nobody gets a link", "set SMTP_HOST");
    };
    match mail::greets(&smtp.host, smtp.port).await {
        Ok(()) => Part::well("Mail", "the server greets"),
        Err(does) => Part::down(
            "Mail",
            format!("the server {does}"),
            "look at SMTP_HOST and SMTP_PORT; mails wait and are tried again",
        ),
    }
}

async fn keys(ctx: &AppContext) -> Part {
    const NAME: &str = "Provider keys";
    let Some(keys) = in_time(standing::keys(&ctx.db)).await else {
        return Part::down(NAME, "cannot be counted", "the database first");
    };
    let out = keys.in_state(State::ManualReview) + keys.in_state(State::OutOfFunds);
    let says = format!("{} can work now, {out} wait for an operator", keys.eligible);
    match keys.eligible {
        0 => Part::down(NAME, says, "add or activate a key under Keys: nothing can be made"),
        1 => Part::new(NAME, Condition::Warns, says, "add another key: with one, each failure is everybody's"),
        _ if out > 0 => Part::new(NAME, Condition::Warns, says, "look at them under Keys"),
        _ => Part::well(NAME, says),
    }
}

/// Keys look well while they are refused a model.
async fn models(ctx: &AppContext) -> Part {
    const NAME: &str = "Models";
    let Some(models) = in_time(exclusions::of_catalogue(ctx, &ctx.db)).await else {
        return Part::down(NAME, "cannot be counted", "the database first");
    };
    let gone: Vec<_> = models.iter().filter(|it| it.is_gone()).map(|it| it.wire_model.as_str()).collect();
    if !gone.is_empty() {
        let says = format!("every key was refused {}: nobody gets a picture of it", gone.join(", "));
        return Part::down(NAME, says, "nproxy doctor says what the vendor lists, and what to do");
    }
    let refused: Vec<_> = models
        .iter()
        .filter(|it| it.refused_to > 0)
        .map(|it| format!("{} may not be used by {} of the keys", it.wire_model, it.refused_to))
        .collect();
    if refused.is_empty() {
        return Part::well(NAME, format!("{} on offer, refused to no key", models.len()));
    }
    Part::new(NAME, Condition::Warns, refused.join(", "), "look under Keys at their last errors")
}

async fn proxies(ctx: &AppContext) -> Part {
    let counted = in_time(async {
        let now = clock::now(&ctx.db).await?;
        let all = proxies::Entity::find().filter(proxies::Column::State.eq("active"));
        let resting = all.clone().filter(proxies::Column::RestUntil.gt(now)).count(&ctx.db).await?;
        Ok((all.count(&ctx.db).await?, resting))
    });
    match counted.await {
        None => Part::down("Proxies", "cannot be counted", "the database first"),
        Some((0, _)) => Part::new("Proxies", Condition::Absent, "none in use: keys go directly", ""),
        Some((all, 0)) => Part::well("Proxies", format!("{all} in use")),
        Some((all, resting)) => {
            let says = format!("{resting} of {all} do not work; their keys go directly meanwhile");
            Part::new("Proxies", Condition::Warns, says, "test them under Proxies")
        }
    }
}

async fn processors(ctx: &AppContext) -> Vec<Part> {
    let parts = ctx.parts();
    let processors = parts.processors();
    if processors.is_empty() {
        return vec![Part::down(
            "Payments",
            "no processor is set: nobody can pay",
            "set BTCPAY_URL, NOWPAYMENTS_API_KEY or MANUAL_PAYMENT_URL",
        )];
    }
    join_all(processors.iter().map(|processor| payments(ctx, processor))).await
}

/// The last minute is asked for, in the way the nightly comparison asks for days.
async fn payments(ctx: &AppContext, processor: &Processor) -> Part {
    let name = format!("Payments: {}", processor.name());
    let parts = ctx.parts();
    let asked = in_time(async {
        let since = clock::now(&ctx.db).await? - TimeDelta::minutes(1);
        Ok(processor.recent(parts.till(), since).await)
    });
    match asked.await {
        Some(Ok(Some(_))) => Part::well(name, "answers"),
        Some(Ok(None)) => Part::new(
            name,
            Condition::Warns,
            "cannot be asked without the account's sign-in",
            "set NOWPAYMENTS_EMAIL and NOWPAYMENTS_PASSWORD",
        ),
        Some(Err(failure)) => Part::down(
            name,
            format!("does not answer as it should ({})", failure.class()),
            "look at the processor and at its key",
        ),
        None => Part::down(name, "does not answer", "look at the processor and at the network"),
    }
}

async fn in_time<T>(look: impl Future<Output = Result<T>>) -> Option<T> {
    timeout(PATIENCE, look).await.ok().and_then(Result::ok)
}
