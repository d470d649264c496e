//! What hints do, and that a queue is about as long as what waits there.

use std::time::Duration;

use durable_jobs::{DurableQueue, RedisSettings, Settings, entity::job::State};
use tokio::time::sleep;

use super::server::{only_hints, queue as queue_at, server, settings, settled};
use crate::support::{bench, held, job, on, quick, start, start_for, until};

/// The process that enqueues runs no jobs; nothing but the hint can have woken the other one.
#[tokio::test]
async fn a_hint_wakes_a_runner_of_another_process() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let worker = redis.queue(bench, only_hints(quick()));
        on(&worker, "Ping", |_, _| async { Ok(()) }).await;
        let running = start(&worker);
        let web = redis.queue(bench, quick());
        settled().await;
        for _ in 0..3 {
            let put = bench.put(job("Ping")).await;
            web.hint(std::slice::from_ref(&put)).await;
            bench.reaches(put.id, State::Done).await;
        }
        until(async || redis.run::<i64>("EXISTS queue:default").await == 0).await;
        running.stop().await;
    })
    .await;
}

/// Nor does it wait for the next look: it is told.
#[tokio::test]
async fn a_hint_is_told_of_at_once() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let rarely = RedisSettings { look_every: Duration::from_secs(600), ..settings(redis.port()) };
        let worker = DurableQueue::redis(bench.db.clone(), only_hints(quick()), rarely).unwrap();
        on(&worker, "Ping", |_, _| async { Ok(()) }).await;
        let running = start(&worker);
        until(async || redis.run::<Vec<(String, i64)>>("PUBSUB NUMSUB durable-jobs:hints").await[0].1 == 1).await;
        let web = redis.queue(bench, quick());
        for _ in 0..3 {
            let put = bench.put(job("Ping")).await;
            web.hint(std::slice::from_ref(&put)).await;
            bench.reaches(put.id, State::Done).await;
        }
        running.stop().await;
    })
    .await;
}

/// Somebody started with `--worker=mail` leaves the other queues to others.
#[tokio::test]
async fn a_runner_of_one_queue_takes_no_hint_of_another() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, only_hints(quick()));
        on(&queue, "Ping", |_, _| async { Ok(()) }).await;
        let running = start_for(&queue, &["mail"]);
        settled().await;
        let other = bench.put(job("Ping")).await;
        let mine = bench.put(job("Ping").on("mail")).await;
        let web = redis.queue(bench, quick());
        web.hint(&[other.clone(), mine.clone()]).await;
        bench.reaches(mine.id, State::Done).await;
        settled().await;
        assert_eq!(bench.row(other.id).await.state, State::Queued);
        assert_eq!(redis.waiting("default").await.len(), 1);
        running.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_as_long_as_what_waits_there() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let one = Settings { concurrency: 1, ..quick() };
        let queue = redis.queue(bench, one);
        on(&queue, "Ping", |_, _| async {
            sleep(Duration::from_millis(150)).await;
            Ok(())
        })
        .await;
        let mut all = Vec::new();
        for _ in 0..40 {
            all.push(bench.put(job("Ping")).await);
        }
        queue.hint(&all).await;
        until(async || redis.waiting("default").await.len() == 40).await;
        let running = start(&queue);
        bench.all_done_at_least(15).await;
        let waiting = redis.waiting("default").await.len() as u64;
        let rows = bench.count(State::Queued).await;
        assert!(waiting.abs_diff(rows) <= 3, "{waiting} hints for {rows} jobs");

        // A sweep that finds them all forgotten adds nothing to that.
        let long_ago = (chrono::Utc::now() - chrono::TimeDelta::seconds(100)).to_rfc3339();
        bench.sql(&format!("UPDATE jobs SET run_at = '{long_ago}' WHERE state = 'queued'")).await;
        bench.all_done_at_least(22).await;
        let waiting = redis.waiting("default").await.len() as u64;
        let rows = bench.count(State::Queued).await;
        assert!(waiting.abs_diff(rows) <= 3, "{waiting} hints for {rows} jobs after a sweep");
        bench.all_done(40).await;
        running.stop().await;
    })
    .await;
}

/// It has a slot, but none for long work: the hints of that are for who has one. Nothing but hints and its own slots wake it.
#[tokio::test]
async fn a_runner_that_is_full_of_long_work_leaves_its_hints_and_takes_the_others() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let settings = Settings { concurrency: 2, long_queues: vec!["long".to_owned()], ..only_hints(quick()) };
        let queue = redis.queue(bench, settings);
        let gate = held(&queue, "Long").await;
        on(&queue, "Quick", |_, _| async { Ok(()) }).await;
        let running = start(&queue);
        settled().await;
        let web = redis.queue(bench, quick());
        let mut all = Vec::new();
        for _ in 0..6 {
            all.push(bench.put(job("Long").on("long").long()).await);
        }
        web.hint(&all).await;
        until(async || bench.count(State::Running).await == 1).await;
        for _ in 0..3 {
            let put = bench.put(job("Quick")).await;
            web.hint(std::slice::from_ref(&put)).await;
            bench.reaches(put.id, State::Done).await;
        }
        settled().await;
        let (waiting, rows) = (redis.waiting("long").await.len() as u64, bench.count(State::Queued).await);
        assert_eq!((bench.count(State::Running).await, rows), (1, 5));
        assert!(waiting.abs_diff(rows) <= 1, "{waiting} hints for {rows} jobs");

        gate.add_permits(6);
        bench.all_done(9).await;
        until(async || redis.run::<i64>("EXISTS queue:long queue:default").await == 0).await;
        gate.add_permits(1);
        let put = bench.put(job("Long").on("long").long()).await;
        web.hint(std::slice::from_ref(&put)).await;
        bench.reaches(put.id, State::Done).await;
        running.stop().await;
    })
    .await;
}

/// Redis was flushed: what waits is hinted anew, for those who do not look by themselves.
#[tokio::test]
async fn after_a_flush_the_sweep_hints_anew() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let all = [bench.put(job("Ping")).await, bench.put(job("Ping")).await];
        let sweeps = redis.queue(bench, Settings { concurrency: 1, ..quick() });
        sweeps.hint(&all).await;
        until(async || redis.waiting("default").await.len() == 2).await;
        redis.run::<()>("FLUSHALL").await;

        // Deaf but for hints, and started before anything is due; the other process only sweeps.
        bench.sql("UPDATE jobs SET run_at = '2099-01-01T00:00:00.000000+00:00'").await;
        let worker = redis.queue(bench, only_hints(quick()));
        on(&worker, "Ping", |_, _| async { Ok(()) }).await;
        let working = start(&worker);
        settled().await;
        let long_ago = (chrono::Utc::now() - chrono::TimeDelta::seconds(100)).to_rfc3339();
        bench.sql(&format!("UPDATE jobs SET run_at = '{long_ago}'")).await;
        settled().await;
        assert_eq!(bench.count(State::Queued).await, 2, "nobody told it");
        let sweeping = start_for(&sweeps, &["another"]);
        bench.all_done(2).await;
        sweeping.stop().await;
        working.stop().await;
    })
    .await;
}

/// What a killed process had fetched goes back once it is silent, in one piece.
#[tokio::test]
async fn what_a_dead_process_had_fetched_goes_back() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let foreign = r#"{"class":"Ping","args":[1],"jid":"0123456789abcdef01234567","queue":"default","retry":true}"#;
        redis.run::<()>("SADD durable-jobs:fetchers ghost:1:ab living:1:ab").await;
        redis.run::<()>("HSET living:1:ab info {}").await;
        for who in ["ghost", "living"] {
            redis.run::<()>(&format!("LPUSH durable-jobs:fetched:{who}:1:ab {foreign}")).await;
        }
        redis.run::<()>("LPUSH durable-jobs:fetched:ghost:1:ab nonsense").await;
        let queue = queue_at(bench, quick(), redis.port());
        on(&queue, "Ping", |_, args| async move {
            assert_eq!(args, serde_json::json!(1));
            Ok(())
        })
        .await;
        let running = start(&queue);
        bench.all_done(1).await;
        assert_eq!(redis.run::<Vec<String>>("LRANGE durable-jobs:malformed 0 -1").await, ["nonsense"]);
        assert_eq!(redis.run::<i64>("EXISTS durable-jobs:fetched:ghost:1:ab").await, 0);
        assert_eq!(redis.run::<i64>("LLEN durable-jobs:fetched:living:1:ab").await, 1);
        let fetchers = redis.run::<Vec<String>>("SMEMBERS durable-jobs:fetchers").await;
        assert!(!fetchers.contains(&"ghost:1:ab".to_owned()), "{fetchers:?}");
        running.stop().await;
    })
    .await;
}
