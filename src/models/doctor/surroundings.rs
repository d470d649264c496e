//! What the application stands on and speaks to. What does not answer is a finding, never an error: the rest is asked
//! all the same, and at the same time.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream};
use loco_rs::{Result, app::AppContext};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, Statement, prelude::DateTimeUtc};
use tokio::time::{Instant, timeout};

use super::{Check, Finding};
use crate::{
    adapters::{images::Failure, mail, storage::Store},
    context::Nproxy,
    models::{
        backups, clock,
        provider_keys::{self, State, check, exclusions},
        proxies,
        room::{self, MIB},
    },
};

const AREA: &str = "surroundings";

/// One part has so long to answer.
const PATIENCE: Duration = Duration::from_secs(45);

/// The oldest that every statement of ours is tried with.
const SQLITE_AT_LEAST: (u32, u32) = (3, 38);
const POSTGRES_AT_LEAST: u32 = 15;

/// Clocks of a host and of its database may differ so much.
const SKEW: chrono::TimeDelta = chrono::TimeDelta::seconds(5);

/// Keys and proxies asked at the same time, and of each so many.
const AT_ONCE: usize = 8;
const ASKED: usize = 50;

/// Keys that are asked for the models of their vendor, until one is answered.
const LISTERS: usize = 2;

/// What was seen, and what is wrong with it.
type Seen = Result<(String, Vec<Finding>)>;

/// A part, how it is looked at, and what mends it.
struct Part {
    name: &'static str,
    look: for<'a> fn(&'a AppContext) -> BoxFuture<'a, Seen>,
    mend: &'static str,
}

const PARTS: &[Part] = &[
    Part {
        name: "database",
        look: |ctx| Box::pin(database(ctx)),
        mend: "DATABASE_URL names it; an older server is upgraded by its own means",
    },
    Part { name: "migrations", look: |ctx| Box::pin(migrations(ctx)), mend: "nproxy db migrate, or the newer release" },
    Part {
        name: "redis",
        look: |ctx| Box::pin(redis(ctx)),
        mend: "REDIS_URL says where it is; jobs run without it, up to a second later",
    },
    Part {
        name: "storage",
        look: |ctx| Box::pin(storage(ctx)),
        mend: "STORAGE_DIR must be writable for the user that runs nproxy; of a bucket S3_ENDPOINT and its keys",
    },
    Part { name: "mail", look: |ctx| Box::pin(mail_server(ctx)), mend: "SMTP_HOST, SMTP_PORT and SMTP_TLS" },
    Part {
        name: "provider_keys",
        look: |ctx| Box::pin(keys(ctx)),
        mend: "nproxy task key_list; nproxy task key_activate key:LABEL, or key_add for another",
    },
    Part {
        name: "models",
        look: |ctx| Box::pin(models(ctx)),
        mend: "config/catalogue.yaml: a wire_model that the vendor lists, and start again; if it may be used after all, \
               nproxy task key_disable key:LABEL and key_activate key:LABEL have it tried at once",
    },
    Part {
        name: "proxies",
        look: |ctx| Box::pin(ways_out(ctx)),
        mend: "nproxy task proxy_test proxy:LABEL; nproxy task proxy_disable proxy:LABEL lets its keys go directly",
    },
    Part {
        name: "processors",
        look: |ctx| Box::pin(processors(ctx)),
        mend: "BTCPAY_URL, BTCPAY_STORE_ID, BTCPAY_API_KEY; NOWPAYMENTS_API_KEY",
    },
    Part {
        name: "clock",
        look: |ctx| Box::pin(clocks(ctx)),
        mend: "let a time service (chrony, systemd-timesyncd) set the clocks",
    },
    Part {
        name: "disk",
        look: |ctx| Box::pin(disks(ctx)),
        mend: "make room; nproxy task object_sweep removes what nobody names",
    },
    Part { name: "backups", look: |ctx| Box::pin(backups(ctx)), mend: "nproxy task backup says why it does not work" },
];

/// Every part, in the order they are listed.
pub(super) async fn examine(ctx: &AppContext) -> Vec<Check> {
    let look = async |part: &Part| {
        let findings = match timeout(PATIENCE, (part.look)(ctx)).await {
            Ok(Ok((says, findings))) => return Check::judged(AREA, part.name, part.mend, findings).saying(says),
            Ok(Err(error)) => vec![Finding::new(part.name, error.to_string())],
            Err(_) => vec![Finding::new(part.name, format!("no answer within {PATIENCE:?}"))],
        };
        Check::judged(AREA, part.name, part.mend, findings)
    };
    futures::future::join_all(PARTS.iter().map(look)).await
}

async fn database(ctx: &AppContext) -> Seen {
    let backend = ctx.db.get_database_backend();
    let (question, name) = match backend {
        DbBackend::Postgres => ("SHOW server_version", "PostgreSQL"),
        _ => ("SELECT sqlite_version()", "SQLite"),
    };
    let asked = Instant::now();
    let version = answer(ctx, question).await?.unwrap_or_default();
    let says = format!("{name} {version} answers in {} ms", asked.elapsed().as_millis());
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u32>().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let is_too_old = match backend {
        DbBackend::Postgres => major < POSTGRES_AT_LEAST,
        _ => (major, minor) < SQLITE_AT_LEAST,
    };
    let mut findings = Vec::new();
    if is_too_old {
        findings.push(Finding::new(name, format!("{version} is too old")));
    }
    if backend == DbBackend::Sqlite {
        let whole = answer(ctx, "PRAGMA quick_check(1)").await?.unwrap_or_default();
        if whole != "ok" {
            findings.push(Finding::new("the file", whole));
        }
    }
    Ok((says, findings))
}

async fn answer(ctx: &AppContext, question: &str) -> Result<Option<String>> {
    let row = ctx.db.query_one_raw(Statement::from_string(ctx.db.get_database_backend(), question)).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

async fn migrations(ctx: &AppContext) -> Seen {
    let ours: BTreeSet<String> = Migrator::migrations().iter().map(|it| it.name().to_owned()).collect();
    let applied = Statement::from_string(ctx.db.get_database_backend(), "SELECT version FROM seaql_migrations");
    let applied = ctx.db.query_all_raw(applied).await?;
    let applied = applied.iter().map(|row| row.try_get_by_index(0)).collect::<Result<BTreeSet<String>, _>>()?;
    let missing = ours.difference(&applied).map(|name| Finding::new(name.as_str(), "is not applied"));
    let unknown =
        applied.difference(&ours).map(|name| Finding::new(name.as_str(), "is of a newer release than this one"));
    Ok((format!("{} applied", applied.len()), missing.chain(unknown).collect()))
}

/// Jobs are rows: it only carries hints, and what it loses is found again.
async fn redis(ctx: &AppContext) -> Seen {
    Ok(match ctx.parts().jobs().redis_answers().await {
        Some(true) => ("answers".into(), Vec::new()),
        Some(false) => (String::new(), vec![Finding::new("redis", "does not answer")]),
        None => ("is not used".into(), Vec::new()),
    })
}

async fn storage(ctx: &AppContext) -> Seen {
    let parts = ctx.parts();
    let says = match parts.store() {
        Store::Folder(_) => format!("a folder, {}", parts.settings().storage.dir.display()),
        Store::S3(_) => format!("the bucket {}", parts.settings().storage.s3_bucket),
    };
    parts.store().check().await?;
    Ok((says, Vec::new()))
}

async fn mail_server(ctx: &AppContext) -> Seen {
    let parts = ctx.parts();
    let Some(server) =
        parts.config().mailer.as_ref().and_then(|mailer| mailer.smtp.as_ref()).filter(|smtp| smtp.enable)
    else {
        return Ok(("no mail server is set".into(), vec![Finding::new("mail", "no letter can be sent")]));
    };
    Ok(match mail::greets(&server.host, server.port).await {
        Ok(()) => (format!("{} greets", server.host), Vec::new()),
        Err(does) => (String::new(), vec![Finding::new("mail", format!("{} {does}", server.host))]),
    })
}

/// Asks the vendor about each key that is at work.
async fn keys(ctx: &AppContext) -> Seen {
    let now = clock::now(&ctx.db).await?;
    let all = provider_keys::list(&ctx.db).await?;
    let count = all.len();
    let fit: Vec<_> = all.into_iter().filter(|key| is_fit(key, now)).collect();
    let says = format!("{} of {count} at work", fit.len());
    let parts = ctx.parts();
    let wanted = &parts.catalogue().default_model().provider;
    let mut findings = Vec::new();
    if !fit.iter().any(|key| key.provider == *wanted) {
        findings.push(Finding::new(format!("the pool of {wanted}"), "has no key at work: no picture can be made"));
    }
    let active = fit.into_iter().filter(|key| key.state() == State::Active).take(ASKED);
    let asked = stream::iter(active.map(|key| ask_key(ctx, key))).buffered(AT_ONCE).collect::<Vec<_>>().await;
    findings.extend(asked.into_iter().flatten());
    Ok((says, findings))
}

async fn ask_key(ctx: &AppContext, key: provider_keys::Model) -> Option<Finding> {
    let why = match check::check(ctx, key.id).await {
        Ok(checked) => checked.answer.err()?.to_string(),
        Err(error) => error.to_string(),
    };
    Some(Finding::new(format!("key {}", key.label), why))
}

/// Whether the vendors have what the catalogue offers: by their lists, and by what they said when they were asked for it.
async fn models(ctx: &AppContext) -> Seen {
    let offered = exclusions::of_catalogue(ctx, &ctx.db).await?;
    let providers: BTreeSet<&str> = offered.iter().map(|model| model.provider.as_str()).collect();
    let (mut says, mut findings) = (Vec::new(), Vec::new());
    for provider in providers {
        match list_of(ctx, provider).await? {
            List::Told(ids) => {
                says.push(format!("{provider} lists {}", ids.len()));
                let missing = offered.iter().filter(|it| it.provider == provider && !ids.contains(&it.wire_model));
                let why = format!("{provider} does not list it: retired, or not for our keys");
                findings.extend(missing.map(|it| Finding::new(it.wire_model.as_str(), why.as_str())));
            }
            List::NotKept => says.push(format!("{provider} keeps no list")),
            List::NobodyAsks => says.push(format!("{provider} has no key to ask with")),
            List::Failed(failure) => {
                findings.push(Finding::new(provider, format!("cannot be asked for its models: {failure}")));
            }
        }
    }
    for model in &offered {
        if model.is_gone() {
            let why = "was refused to every key at work: nobody gets a picture of it";
            findings.push(Finding::new(model.wire_model.as_str(), why));
        } else if model.refused_to > 0 {
            says.push(format!("{} may not be used by {} of the keys", model.wire_model, model.refused_to));
        }
    }
    Ok((says.join(", "), findings))
}

/// What a vendor says of its models.
enum List {
    Told(Vec<String>),
    NotKept,
    NobodyAsks,
    Failed(Failure),
}

async fn list_of(ctx: &AppContext, provider: &str) -> Result<List> {
    let mut keys = provider_keys::list(&ctx.db).await?;
    keys.retain(|key| key.provider == provider && key.state() == State::Active);
    let mut list = List::NobodyAsks;
    for key in keys.iter().take(LISTERS) {
        list = match check::models(ctx, key).await {
            Ok(Some(ids)) => return Ok(List::Told(ids)),
            Ok(None) => return Ok(List::NotKept),
            Err(failure) => List::Failed(failure),
        };
    }
    Ok(list)
}

fn is_fit(key: &provider_keys::Model, now: DateTimeUtc) -> bool {
    match key.state() {
        State::Active => true,
        State::Cooldown => key.cooldown_until.is_some_and(|until| until <= now),
        State::OutOfFunds | State::ManualReview | State::Disabled => false,
    }
}

async fn ways_out(ctx: &AppContext) -> Seen {
    let active: Vec<_> = proxies::list(&ctx.db).await?.into_iter().filter(proxies::Model::is_active).collect();
    let says = format!("{} in use", active.len());
    let asked = active.into_iter().take(ASKED).map(|proxy| ask_proxy(ctx, proxy));
    let findings = stream::iter(asked).buffered(AT_ONCE).collect::<Vec<_>>().await;
    Ok((says, findings.into_iter().flatten().collect()))
}

async fn ask_proxy(ctx: &AppContext, proxy: proxies::Model) -> Option<Finding> {
    let why = match proxies::check(ctx, &proxy).await {
        Ok(failure) => failure?.to_string(),
        Err(error) => error.to_string(),
    };
    Some(Finding::new(format!("proxy {}", proxy.label), why))
}

async fn processors(ctx: &AppContext) -> Seen {
    let parts = ctx.parts();
    let (mut names, mut findings) = (Vec::new(), Vec::new());
    for processor in parts.processors() {
        names.push(processor.name());
        if let Err(failure) = processor.check(parts.till()).await {
            findings.push(Finding::new(processor.name(), failure.to_string()));
        }
    }
    Ok((if names.is_empty() { "none is switched on".into() } else { names.join(", ") }, findings))
}

/// On `SQLite` both are the same clock.
#[expect(clippy::disallowed_methods, reason = "the clock of this host is what is asked about")]
async fn clocks(ctx: &AppContext) -> Seen {
    let before = chrono::Utc::now();
    let there = durable_jobs::clock::now(&ctx.db).await?;
    let after = chrono::Utc::now();
    let ahead = std::cmp::max(there - after, before - there);
    let findings = if ahead > SKEW {
        vec![Finding::new("clock", format!("the database says {there}, this host {after}"))]
    } else {
        Vec::new()
    };
    Ok(("this host and its database agree".into(), findings))
}

async fn disks(ctx: &AppContext) -> Seen {
    let (mut least, mut findings) = (u64::MAX, Vec::new());
    for (folder, found) in room::look(ctx).await {
        let row = folder.display().to_string();
        match found {
            Ok(disk) if disk.is_full() => {
                findings
                    .push(Finding::new(row, format!("{} MiB left, needs {}", disk.free / MIB, room::AT_LEAST / MIB)));
            }
            Ok(disk) => least = least.min(disk.free),
            Err(error) => findings.push(Finding::new(row, error)),
        }
    }
    Ok((format!("{} MiB left at least", least / MIB), findings))
}

async fn backups(ctx: &AppContext) -> Seen {
    let Some(standing) = backups::standing(ctx, &ctx.db).await? else {
        return Ok(("none are taken: BACKUP_DIR and BACKUP_RECIPIENT are not set".into(), Vec::new()));
    };
    let says = match &standing.last {
        None => "none was taken yet".to_owned(),
        Some(last) => {
            let age = clock::now(&ctx.db).await? - last.taken_at;
            format!("the last one is {} hours old, {} bytes", age.num_hours(), last.bytes)
        }
    };
    Ok(if standing.is_late { (String::new(), vec![Finding::new("backups", says)]) } else { (says, Vec::new()) })
}
