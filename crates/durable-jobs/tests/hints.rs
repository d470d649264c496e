//! What wakes a runner, and what happens when nothing does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use durable_jobs::{Settings, entity::job::State};
use loco_rs::bgworker::QueueProvider;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{bench, job, on, quick, start};

/// With a poll of a minute only the hint, or the known moment, can be what woke the runner.
#[tokio::test]
async fn a_hint_wakes_the_runner_and_a_known_moment_does() {
    bench(async |bench| {
        let queue = bench.queue(Settings {
            poll_every: Duration::from_secs(3600),
            sweep_every: Duration::from_secs(3600),
            ..quick()
        });
        on(&queue, "Ping", |_, _| async { Ok(()) }).await;
        let running = start(&queue);
        let now = bench.put(job("Ping")).await;
        queue.hint(std::slice::from_ref(&now)).await;
        bench.reaches(now.id, State::Done).await;

        let later = bench.put(job("Ping").in_(Duration::from_millis(400))).await;
        queue.hint(std::slice::from_ref(&later)).await;
        let row = bench.reaches(later.id, State::Done).await;
        assert!(row.finished_at.unwrap() >= row.run_at);
        assert!((row.run_at - row.created_at).num_milliseconds() >= 400);
        let id = queue.enqueue("Ping".into(), None, json!({}), None, None).await.unwrap().unwrap();
        bench.reaches(id.parse().unwrap(), State::Done).await;
        running.stop().await;
    })
    .await;
}

/// X12: hints are only hints, however many.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_hints_of_one_job_to_several_runners_run_it_once() {
    bench(async |bench| {
        let ran = Arc::new(AtomicUsize::new(0));
        let mut all = Vec::new();
        for _ in 0..3 {
            let queue = bench.queue(quick());
            let ran = ran.clone();
            on(&queue, "Ping", move |_, _| {
                ran.fetch_add(1, SeqCst);
                async { Ok(()) }
            })
            .await;
            all.push((start(&queue), queue));
        }
        let job = bench.put(job("Ping")).await;
        for _ in 0..100 {
            for (_, queue) in &all {
                queue.hint(std::slice::from_ref(&job)).await;
            }
        }
        bench.all_done(1).await;
        for (running, _) in all {
            running.stop().await;
        }
        assert_eq!((ran.load(SeqCst), bench.row(job.id).await.attempts), (1, 1));
    })
    .await;
}

/// The enqueuer died between its commit and the hint.
#[tokio::test]
async fn the_sweep_finds_a_job_that_nobody_hinted() {
    bench(async |bench| {
        let queue = bench.queue(Settings { poll_every: Duration::from_secs(3600), ..quick() });
        on(&queue, "Ping", |_, _| async { Ok(()) }).await;
        let running = start(&queue);
        sleep(Duration::from_millis(200)).await; // the runner has looked and found nothing
        let id = bench.put(job("Ping")).await.id;
        let long_ago = (chrono::Utc::now() - chrono::TimeDelta::seconds(40)).to_rfc3339();
        bench.sql(&format!("UPDATE jobs SET run_at = '{long_ago}' WHERE id = {id}")).await;
        assert!(bench.reaches(id, State::Done).await.hinted_at.is_some());
        running.stop().await;
    })
    .await;
}
