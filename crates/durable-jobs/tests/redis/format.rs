//! What lies in Redis, key by key and field by field.

use std::{collections::BTreeSet, time::Duration};

use chrono::Utc;
use durable_jobs::{Backoff, Settings, entity::job::State};
use loco_rs::{Error, bgworker::QueueProvider};
use redis::AsyncCommands;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::server::server;
use crate::support::{bench, job, on, quick, start, until};

fn keys(job: &Value) -> BTreeSet<&str> {
    job.as_object().unwrap().keys().map(String::as_str).collect()
}

fn seconds_ago(at: &Value) -> f64 {
    Utc::now().timestamp_micros() as f64 / 1e6 - at.as_f64().unwrap()
}

#[tokio::test]
async fn a_due_job_lies_on_its_queue_as_sidekiq_writes_it() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, quick());
        let put = bench.put(job("Ping").on("low").attempts(4)).await;
        queue.hint(std::slice::from_ref(&put)).await;
        until(async || redis.waiting("low").await.len() == 1).await;

        assert_eq!(redis.run::<Vec<String>>("SMEMBERS queues").await, ["low"]);
        let job = redis.waiting("low").await.remove(0);
        let expected = ["args", "class", "created_at", "enqueued_at", "jid", "queue", "retry", "row"];
        assert_eq!(keys(&job), BTreeSet::from(expected));
        assert_eq!(job["class"], "Ping");
        assert_eq!(job["args"], json!([{}]));
        assert_eq!(job["queue"], "low");
        assert_eq!(job["retry"], 3); // after the first attempt
        assert_eq!(job["row"], put.id);
        let jid = job["jid"].as_str().unwrap();
        assert!(jid.len() == 24 && jid.bytes().all(|it| it.is_ascii_hexdigit()), "{jid}");
        for moment in ["created_at", "enqueued_at"] {
            assert!((0.0..60.0).contains(&seconds_ago(&job[moment])), "{moment}: {}", job[moment]);
        }
        // A second hint of a job that was there already is none.
        let key = crate::support::job("Ping").unique("one");
        let first = bench.put(key.clone()).await;
        let second = bench.put(key).await;
        queue.hint(&[first, second]).await;
        until(async || redis.waiting("default").await.len() == 1).await;
        sleep(Duration::from_millis(100)).await;
        assert_eq!(redis.waiting("default").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_waits_fails_or_died_is_in_its_set() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let hours = Duration::from_secs(7200);
        let queue = redis.queue(bench, Settings { backoff: Backoff { base: hours, cap: hours }, ..quick() });
        on(&queue, "Fails", |_, _| async { Err(Error::string("no luck")) }).await;
        let running = start(&queue);
        let later = bench.put(job("Ping").in_(hours)).await;
        queue.hint(std::slice::from_ref(&later)).await; // shown at once, not only with the next look
        let fails = bench.put(job("Fails")).await.id;
        let dies = bench.put(job("Fails").attempts(1)).await.id;
        let unknown = bench.put(job("Nobody")).await.id;
        until(async || {
            redis.set("schedule").await.len() == 1
                && redis.set("retry").await.len() == 2
                && redis.set("dead").await.len() == 1
        })
        .await;

        let (scheduled, at) = redis.set("schedule").await.remove(0);
        assert_eq!(scheduled["row"], later.id);
        assert!((seconds_ago(&json!(at)) + 7200.0).abs() < 60.0, "{at}");
        assert_eq!(
            keys(&scheduled),
            BTreeSet::from(["args", "as_of", "class", "created_at", "jid", "queue", "retry", "row"])
        );

        let retry = redis.set("retry").await;
        let of = |id: i64| &retry.iter().find(|(job, _)| job["row"] == id).unwrap().0;
        let failed = of(fails);
        assert_eq!(failed["error_message"], "no luck");
        assert_eq!(failed["error_class"], "Error");
        assert_eq!(failed["retry_count"], 0);
        assert!((0.0..60.0).contains(&seconds_ago(&failed["failed_at"])));
        assert_eq!(of(unknown)["error_class"], "UnknownClass");
        let row = bench.row(fails).await;
        let (_, at) = retry.iter().find(|(job, _)| job["row"] == fails).unwrap();
        assert!((row.run_at.timestamp_micros() as f64 / 1e6 - at).abs() < 0.01);

        let (dead, at) = redis.set("dead").await.remove(0);
        assert_eq!((&dead["row"], &dead["error_message"]), (&json!(dies), &json!("no luck")));
        assert!((0.0..60.0).contains(&seconds_ago(&json!(at))));

        // The row changes, and so does what is shown.
        bench.sql(&format!("DELETE FROM jobs WHERE id IN ({dies}, {unknown}, {})", later.id)).await;
        until(async || {
            redis.set("schedule").await.is_empty()
                && redis.set("retry").await.len() == 1
                && redis.set("dead").await.is_empty()
        })
        .await;
        running.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_shows_that_it_lives_and_what_it_is_at_and_counts() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, quick());
        on(&queue, "Slow", |_, _| async {
            sleep(Duration::from_secs(6)).await;
            Ok(())
        })
        .await;
        on(&queue, "Fails", |_, _| async { Err(Error::string("no luck")) }).await;
        let running = start(&queue);
        let _ = bench.put(job("Fails").attempts(1)).await;
        let slow = bench.put(job("Slow").on("low")).await.id;
        let owner = bench.reaches(slow, State::Running).await.lease_owner.unwrap();
        until(async || {
            redis.run::<Option<String>>(&format!("HGET {owner} busy")).await.as_deref() == Some("1")
                && redis.run::<Option<i64>>("GET stat:failed").await == Some(1)
        })
        .await;

        assert_eq!(redis.run::<Vec<String>>("SMEMBERS processes").await, std::slice::from_ref(&owner));
        let mut connection = redis.connection().await;
        let facts: std::collections::HashMap<String, String> = connection.hgetall(&owner).await.unwrap();
        assert_eq!(facts["quiet"], "false");
        assert!(facts["rss"].parse::<u64>().unwrap() > 1_000);
        assert!((0.0..60.0).contains(&seconds_ago(&json!(facts["beat"].parse::<f64>().unwrap()))));
        let info: Value = serde_json::from_str(&facts["info"]).unwrap();
        assert_eq!(info["identity"], owner);
        assert_eq!(info["concurrency"], 8);
        assert_eq!(info["pid"], std::process::id());
        assert!((0.0..60.0).contains(&seconds_ago(&info["started_at"])));
        let left: i64 = connection.pttl(&owner).await.unwrap();
        assert!((1..=10_000).contains(&left), "{left}");
        for place in ["workers", "work"] {
            let work: Vec<(String, String)> = connection.hgetall(format!("{owner}:{place}")).await.unwrap();
            let at: Value = serde_json::from_str(&work[0].1).unwrap();
            assert_eq!((work.len(), &at["queue"]), (1, &json!("low")));
            assert!(at["run_at"].is_i64());
            let payload: Value = serde_json::from_str(at["payload"].as_str().unwrap()).unwrap();
            assert_eq!((&payload["class"], &payload["row"]), (&json!("Slow"), &json!(slow)));
        }

        bench.reaches(slow, State::Done).await;
        running.stop().await;
        let today = Utc::now().format("%Y-%m-%d");
        for (stat, number) in [("processed", 2), ("failed", 1)] {
            assert_eq!(redis.run::<i64>(&format!("GET stat:{stat}")).await, number);
            assert_eq!(redis.run::<i64>(&format!("GET stat:{stat}:{today}")).await, number);
        }
        // It said goodbye.
        assert!(redis.run::<Vec<String>>("SMEMBERS processes").await.is_empty());
        assert_eq!(redis.run::<i64>(&format!("EXISTS {owner} {owner}:work {owner}:workers")).await, 0);
        assert!(queue.redis_answers().await.unwrap());
        assert!(queue.describe().contains("Redis"));
    })
    .await;
}
