//! What Sidekiq's Web UI shows of this process: that it lives, what it is at and what it has done.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use redis::Pipeline;
use sea_orm::DbErr;
use serde_json::{Value, json};

use super::{Redis, shown, wire};
use crate::{
    clock,
    jobs::DEFAULT_QUEUE,
    lease::Claimed,
    provider::{Inner, lock},
};

/// Daily counts are kept for five years, as Sidekiq does.
const STATS_KEPT: i64 = 5 * 365 * 24 * 60 * 60;

/// A job and the handler at it.
pub(super) struct Work {
    queue: String,
    payload: Value,
    since: tokio::time::Instant,
}

impl Work {
    pub(super) fn of(job: &Claimed) -> Self {
        let args = job.args.as_ref().unwrap_or(&Value::Null);
        let payload = wire::at_work(job.id, &job.class, &job.queue, args, (job.attempt, job.max_attempts));
        Self { queue: job.queue.clone(), payload, since: tokio::time::Instant::now() }
    }
}

/// One heartbeat.
pub(super) async fn beat(redis: &Redis, inner: &Inner, queues: &[String]) -> Result<Duration, DbErr> {
    let asked = tokio::time::Instant::now();
    redis.ping().await?;
    let latency = asked.elapsed();
    let queues = if queues.is_empty() { vec![DEFAULT_QUEUE.to_owned()] } else { queues.to_vec() };
    let id = &redis.identity;
    // The clock of the process: Sidekiq's are, and a database that is away shall not hide the process.
    let now = clock::process();
    let seconds = wire::seconds(now);
    let (host, _) = id.split_once(':').unwrap_or((id, ""));
    let info = json!({
        "hostname": host, "started_at": wire::seconds(redis.started_at), "pid": std::process::id(), "tag": "",
        "concurrency": inner.settings.concurrency, "queues": queues, "labels": [], "identity": id,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let silence = i64::try_from(redis.settings.silence.as_millis()).unwrap_or(i64::MAX);
    let (processed, failed) = (redis.processed.load(Relaxed), redis.failed.load(Relaxed));

    let mut hello = redis::pipe();
    hello.atomic();
    hello.sadd("processes", id).ignore();
    // Sidekiq 6 looks for the work under the one name, 7 under the other.
    let places = [format!("{id}:workers"), format!("{id}:work")];
    hello.cmd("UNLINK").arg(&places).ignore();
    let busy = {
        let work = lock(&redis.work);
        for (job, at) in work.iter() {
            let run_at = (now - at.since.elapsed()).timestamp();
            let shown = json!({ "queue": at.queue, "payload": at.payload.to_string(), "run_at": run_at }).to_string();
            for place in &places {
                hello.hset(place, format!("{job:x}"), &shown).ignore();
            }
        }
        work.len()
    };
    for place in &places {
        hello.pexpire(place, silence).ignore();
    }
    let facts = [
        ("info", info.to_string()),
        ("concurrency", inner.settings.concurrency.to_string()),
        ("busy", busy.to_string()),
        ("beat", seconds.to_string()),
        ("rtt_us", latency.as_micros().to_string()),
        ("quiet", inner.stop.is_cancelled().to_string()),
        ("rss", resident_kib().to_string()),
    ];
    hello.hset_multiple(id, &facts).ignore().pexpire(id, silence).ignore();
    count(&mut hello, "processed", processed, &now.format("%Y-%m-%d").to_string());
    count(&mut hello, "failed", failed, &now.format("%Y-%m-%d").to_string());
    redis.link.ask::<()>(&hello).await?;
    settle(&redis.processed, processed);
    settle(&redis.failed, failed);
    Ok(redis.settings.beat_every)
}

/// Says goodbye and puts back what was fetched.
pub(super) async fn leave(redis: &Redis) -> Result<(), DbErr> {
    let id = &redis.identity;
    let (processed, failed) = (redis.processed.swap(0, Relaxed), redis.failed.swap(0, Relaxed));
    let day = clock::process().format("%Y-%m-%d").to_string();
    let mut goodbye = redis::pipe();
    goodbye.atomic().srem("processes", id).ignore();
    goodbye.cmd("UNLINK").arg(id).arg(format!("{id}:workers")).arg(format!("{id}:work")).ignore();
    count(&mut goodbye, "processed", processed, &day);
    count(&mut goodbye, "failed", failed, &day);
    shown::put_back(&mut goodbye, id);
    redis.link.ask::<()>(&goodbye).await
}

fn count(pipe: &mut Pipeline, what: &str, number: u64, day: &str) {
    let (all, today) = (format!("stat:{what}"), format!("stat:{what}:{day}"));
    pipe.incr(all, number).ignore().incr(&today, number).ignore().expire(&today, STATS_KEPT).ignore();
}

/// What was told is no longer to tell. What came in between stays.
fn settle(counter: &AtomicU64, told: u64) {
    counter.fetch_sub(told, Relaxed);
}

fn resident_kib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or_default() * 4
}
