//! Jobs that other clients push, and the buttons of the Web UI.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use durable_jobs::{Backoff, DurableQueue, Settings, entity::job::State};
use loco_rs::Error;
use redis::AsyncCommands;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::server::server;
use crate::support::{Bench, bench, job, on, quick, start, until};

fn foreign(class: &str, args: &str, jid: &str, more: &str) -> String {
    format!(
        r#"{{"class":"{class}","args":{args},"jid":"{jid}","queue":"default","retry":true,"created_at":1764435600.1{more}}}"#
    )
}

/// Collects what a class was given.
async fn given(queue: &DurableQueue, class: &str) -> Arc<Mutex<Vec<Value>>> {
    let given = Arc::new(Mutex::new(Vec::new()));
    let told = given.clone();
    on(queue, class, move |_, args| {
        told.lock().unwrap().push(args);
        async { Ok(()) }
    })
    .await;
    given
}

#[tokio::test]
async fn a_foreign_client_s_job_becomes_a_row_and_runs_once_however_often_it_comes() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, quick());
        let args = given(&queue, "Ping").await;
        let running = start(&queue);
        let text = foreign("Ping", r#"[{"run":7}]"#, "aaaaaaaaaaaaaaaaaaaaaaaa", r#","tags":["x"],"bid":"b""#);
        for _ in 0..3 {
            redis.push("default", &text).await;
        }
        bench.all_done(1).await;
        redis.push("default", &text).await; // after it is done
        redis.push("default", &foreign("Ping", "[1,2]", "bbbbbbbbbbbbbbbbbbbbbbbb", "")).await;
        bench.all_done(2).await;
        until(async || redis.run::<i64>("EXISTS queue:default").await == 0).await;
        assert_eq!(*args.lock().unwrap(), [json!({ "run": 7 }), json!([1, 2])]);
        let rows = bench.number("SELECT COUNT(*) AS n FROM jobs").await;
        assert_eq!(rows, 2);
        // Nothing stays behind in the list of this process.
        let lists = redis.run::<Vec<String>>("KEYS durable-jobs:fetched:*").await;
        assert_eq!(lists, Vec::<String>::new());
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_class_is_parked_and_what_is_no_job_is_put_aside() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, quick());
        given(&queue, "Ping").await;
        let running = start(&queue);
        redis.push("default", &foreign("Hard::Worker", "[1]", "cccccccccccccccccccccccc", "")).await;
        for no_job in ["{\"class\":", "[]", r#"{"class":"Ping","args":7,"jid":"d","queue":"default"}"#, ""] {
            redis.push("default", no_job).await;
        }
        redis.push("default", &foreign("Ping", "[]", "eeeeeeeeeeeeeeeeeeeeeeee", "")).await;
        bench.all_done(1).await;
        until(async || redis.run::<i64>("LLEN durable-jobs:malformed").await == 4).await;
        until(async || {
            bench.number("SELECT COUNT(*) AS n FROM jobs WHERE last_error = 'unknown class' AND state = 'queued'").await
                == 1
        })
        .await;
        // Seen by an operator under its own name.
        until(async || redis.set("retry").await.iter().any(|(job, _)| job["jid"] == "cccccccccccccccccccccccc")).await;
        running.stop().await;
    })
    .await;
}

/// `PostgreSQL` has no text with a zero in it; `SQLite` has, and knows no such class. In JSON it is none.
#[tokio::test]
async fn what_the_database_refuses_is_put_aside_and_keeps_nobody_from_theirs() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, quick());
        let args = given(&queue, "Ping").await;
        let mut connection = redis.connection().await;
        let _: () = connection.zadd("schedule", foreign(r"Ping\u0000", "[1]", "a1", ""), 1.0).await.unwrap();
        let _: () = connection.zadd("schedule", &b"\xff"[..], 1.5).await.unwrap();
        let _: () = connection.zadd("schedule", foreign("Ping", "[2]", "a2", ""), 2.0).await.unwrap();
        redis.push("default", &foreign(r"Ping\u0000", "[3]", "a3", "")).await;
        let _: () = connection.lpush("queue:default", &b"\xfe"[..]).await.unwrap();
        redis.push("default", &foreign("Ping", r#"["a\u0000"]"#, "a4", "")).await;
        let _: () = connection.sadd("queues", &b"\xfd"[..]).await.unwrap();
        let running = start(&queue);
        bench.all_done(2).await;
        let refused = if bench.is_postgres() { 4 } else { 2 };
        until(async || redis.run::<i64>("LLEN durable-jobs:malformed").await == refused).await;
        let parked = "SELECT COUNT(*) AS n FROM jobs WHERE last_error = 'unknown class'";
        until(async || bench.number(parked).await == 4 - refused).await;
        until(async || redis.run::<Vec<String>>("KEYS durable-jobs:fetched:*").await.is_empty()).await;
        running.stop().await;
        let mut args = args.lock().unwrap().clone();
        args.sort_by_key(Value::to_string);
        assert_eq!(args, [json!("a\0"), json!(2)]);
    })
    .await;
}

/// Taken off their queues, and not yet in the table, when every statement fails: the same process takes them up again.
#[tokio::test]
async fn what_was_fetched_while_the_database_was_away_runs_when_it_is_back() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, quick());
        let args = given(&queue, "Ping").await;
        let running = start(&queue);
        until(async || !redis.run::<Vec<String>>("SMEMBERS processes").await.is_empty()).await;
        bench.sql("ALTER TABLE jobs RENAME TO jobs_away").await;
        for number in 1..=3 {
            redis.push("default", &foreign("Ping", &format!("[{number}]"), &format!("b{number}"), "")).await;
        }
        until(async || !redis.run::<Vec<String>>("KEYS durable-jobs:fetched:*").await.is_empty()).await;
        bench.sql("ALTER TABLE jobs_away RENAME TO jobs").await;
        bench.all_done(3).await;
        until(async || redis.run::<Vec<String>>("KEYS durable-jobs:fetched:*").await.is_empty()).await;
        assert_eq!(redis.run::<i64>("LLEN durable-jobs:malformed").await, 0);
        running.stop().await;
        assert_eq!(args.lock().unwrap().len(), 3);
    })
    .await;
}

/// Redis moved a hint to the list of a process, but its answer was lost.
#[tokio::test]
async fn what_was_fetched_without_our_hearing_of_it_runs_all_the_same() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, quick());
        let args = given(&queue, "Ping").await;
        let running = start(&queue);
        until(async || !redis.run::<Vec<String>>("SMEMBERS processes").await.is_empty()).await;
        let me = redis.run::<Vec<String>>("SMEMBERS processes").await.remove(0);
        let hint = foreign("Ping", "[1]", "c1", "");
        redis.run::<()>(&format!("LPUSH durable-jobs:fetched:{me} {hint}")).await;
        bench.all_done(1).await;
        until(async || redis.run::<i64>(&format!("EXISTS durable-jobs:fetched:{me}")).await == 0).await;
        running.stop().await;
        assert_eq!(*args.lock().unwrap(), [json!(1)]);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_a_foreign_client_schedules_is_a_row_long_before_it_is_due() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, quick());
        let args = given(&queue, "Ping").await;
        let running = start(&queue);
        let mut connection = redis.connection().await;
        let now = chrono::Utc::now().timestamp_micros() as f64 / 1e6;
        let far = foreign("Ping", "[1]", "111111111111111111111111", "");
        let near = foreign("Ping", "[2]", "222222222222222222222222", "");
        let _: () = connection.zadd("schedule", &far, now + 3600.0).await.unwrap();
        let _: () = connection.zadd("schedule", &near, now + 1.5).await.unwrap();
        until(async || bench.number("SELECT COUNT(*) AS n FROM jobs").await == 2).await;
        redis.run::<()>("FLUSHALL").await;
        bench.all_done(1).await;
        assert_eq!(*args.lock().unwrap(), [json!(2)]);
        // The other one is shown again, under the client's name and at its moment.
        until(async || redis.set("schedule").await.len() == 1).await;
        let (shown, at) = redis.set("schedule").await.remove(0);
        assert_eq!(shown["jid"], "111111111111111111111111");
        assert!((at - now - 3600.0).abs() < 5.0, "{at}");
        running.stop().await;
    })
    .await;
}

/// "Retry now" and "Add to queue" push what was shown, with one retry less.
async fn press(redis: &super::server::Server, set: &str, row: i64) {
    let (mut shown, _) = redis.set(set).await.into_iter().find(|(job, _)| job["row"] == row).unwrap();
    if let Some(count) = shown.get("retry_count").and_then(Value::as_i64) {
        shown["retry_count"] = json!(count - 1);
    }
    redis.push("default", &shown.to_string()).await;
}

async fn failing_at_first(bench: &Bench, redis: &super::server::Server) -> (DurableQueue, Arc<AtomicUsize>) {
    let hours = Duration::from_secs(7200);
    let queue = redis.queue(bench, Settings { backoff: Backoff { base: hours, cap: hours }, ..quick() });
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    on(&queue, "Fails", move |_, _| {
        let first = counted.fetch_add(1, SeqCst) == 0;
        async move { if first { Err(Error::string("no luck")) } else { Ok(()) } }
    })
    .await;
    (queue, tries)
}

#[tokio::test]
async fn an_operator_s_buttons_bring_a_job_forward_and_a_dead_one_back() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let (queue, tries) = failing_at_first(bench, &redis).await;
        let running = start(&queue);
        let id = bench.put(job("Fails")).await.id;
        until(async || redis.set("retry").await.len() == 1).await;
        press(&redis, "retry", id).await;
        bench.reaches(id, State::Done).await;
        assert_eq!(tries.load(SeqCst), 2);

        given(&queue, "Ping").await;
        let later = bench.put(job("Ping").in_(Duration::from_secs(7200))).await.id;
        until(async || redis.set("schedule").await.len() == 1).await;
        press(&redis, "schedule", later).await;
        bench.reaches(later, State::Done).await;
        running.stop().await;

        let (queue, _) = failing_at_first(bench, &redis).await;
        let running = start(&queue);
        let dead = bench.put(job("Fails").attempts(1)).await.id;
        until(async || redis.set("dead").await.len() == 1).await;
        press(&redis, "dead", dead).await;
        bench.reaches(dead, State::Done).await;
        running.stop().await;
    })
    .await;
}

/// A button that was pressed on what is no longer so does nothing.
#[tokio::test]
async fn an_old_button_does_nothing() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let (queue, tries) = failing_at_first(bench, &redis).await;
        let running = start(&queue);
        let id = bench.put(job("Fails")).await.id;
        until(async || redis.set("retry").await.len() == 1).await;
        bench.sql(&format!("UPDATE jobs SET attempts = 2 WHERE id = {id}")).await;
        let stale = format!(r#"{{"class":"Fails","args":[{{}}],"jid":"x","queue":"default","row":{id},"as_of":1}}"#);
        redis.push("default", &stale).await;
        let missing = r#"{"class":"Fails","args":[{}],"jid":"x","queue":"default","row":999999,"as_of":1}"#;
        redis.push("default", missing).await;
        until(async || redis.run::<i64>("EXISTS queue:default").await == 0).await;
        sleep(Duration::from_millis(200)).await;
        assert_eq!((tries.load(SeqCst), bench.row(id).await.state), (1, State::Queued));
        running.stop().await;
    })
    .await;
}
