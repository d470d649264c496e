//! F45: the genuine Sidekiq, a Ruby program, is the referee. Debian has version 6.4 (`ruby-sidekiq`, `ruby-rack`).

use std::{process::Stdio, time::Duration};

use durable_jobs::{Backoff, Settings, entity::job::State};
use loco_rs::Error;
use serde_json::{Value, json};
use tokio::{process::Command, time::sleep};

use super::server::{Server, server};
use crate::support::{bench, job, on, quick, start, until};

/// A server that Sidekiq can be asked about, unless Ruby or Sidekiq is missing.
async fn with_sidekiq() -> Option<Server> {
    let mut look = Command::new("ruby");
    let look = look.args(["-e", "require 'sidekiq/web'; require 'rack'"]).stderr(Stdio::null()).status();
    if !look.await.is_ok_and(|it| it.success()) {
        assert!(
            std::env::var("REQUIRE_SIDEKIQ").is_err(),
            "ruby-sidekiq or ruby-rack is missing: bin/setup --for test"
        );
        println!("not run: the genuine Sidekiq is missing");
        return None;
    }
    server().await
}

async fn sidekiq(redis: &Server, arguments: &[&str]) -> Value {
    let output = Command::new("ruby")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/redis/genuine.rb"))
        .args(arguments)
        .env("REDIS_URL", redis.url())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_what_the_genuine_client_pushes_runs() {
    let Some(redis) = with_sidekiq().await else { return };
    bench(async |bench| {
        let queue = redis.queue(bench, quick());
        on(&queue, "Ping", |_, args| async move {
            if args == json!({ "run": 7 }) { Ok(()) } else { Err(Error::string(&args.to_string())) }
        })
        .await;
        let running = start(&queue);
        let jid = sidekiq(&redis, &["push", "Ping", r#"[{"run":7}]"#]).await["jid"].as_str().unwrap().to_owned();
        bench.all_done(1).await;
        assert_eq!(bench.text("SELECT dedupe_key FROM jobs").await, format!("jid:{jid}"));
        sidekiq(&redis, &["push", "Ping", r#"[{"run":7}]"#, "2"]).await;
        bench.all_done(2).await;
        until(async || sidekiq(&redis, &["look"]).await["processed"] == 2).await;
        running.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_its_web_ui_shows_queues_busy_scheduled_retries_and_dead() {
    let Some(redis) = with_sidekiq().await else { return };
    bench(async |bench| {
        let hours = Duration::from_secs(7200);
        let settings = Settings { concurrency: 2, backoff: Backoff { base: hours, cap: hours }, ..quick() };
        let queue = redis.queue(bench, settings);
        on(&queue, "Slow", |_, _| async {
            sleep(Duration::from_secs(60)).await;
            Ok(())
        })
        .await;
        on(&queue, "Fails", |_, _| async { Err(Error::string("no luck today")) }).await;
        let running = start(&queue);
        let web = redis.queue(bench, quick());
        let put = async |job| {
            let put = bench.put(job).await;
            web.hint(std::slice::from_ref(&put)).await;
            put.id
        };
        let failing = put(job("Fails")).await;
        put(job("Fails").attempts(1)).await;
        put(job("Later").in_(hours)).await;
        bench.reaches(failing, State::Queued).await;
        until(async || bench.row(failing).await.attempts == 1 && bench.count(State::Dead).await == 1).await;
        for _ in 0..2 {
            let id = put(job("Slow")).await;
            bench.reaches(id, State::Running).await;
        }
        put(job("Waits")).await;
        // Two heartbeats and two looks.
        sleep(Duration::from_millis(500)).await;

        let seen = sidekiq(&redis, &["look"]).await;
        assert_eq!((&seen["processed"], &seen["failed"]), (&json!(2), &json!(2)), "{seen}");
        let waiting = &seen["queues"]["default"];
        assert_eq!((waiting.as_array().unwrap().len(), &waiting[0][0]), (1, &json!("Waits")), "{seen}");
        assert!((0.0..60.0).contains(&waiting[0][2].as_f64().unwrap()), "its latency: {seen}");
        assert_eq!(seen["scheduled"][0][0], "Later");
        assert!((seen["scheduled"][0][2].as_f64().unwrap() - 7200.0).abs() < 60.0, "{seen}");
        assert_eq!(seen["retries"], json!([["Fails", "no luck today", 0]]));
        assert_eq!(seen["dead"], json!([["Fails", "no luck today"]]));
        let owner = bench.text("SELECT lease_owner FROM jobs WHERE state = 'running' LIMIT 1").await;
        assert_eq!(seen["processes"], json!([[owner, 2, 2]]));
        assert_eq!(seen["work"], json!([["default", "Slow"], ["default", "Slow"]]));

        let pages = sidekiq(&redis, &["pages"]).await;
        let holds = |path: &str, words: &[&str]| {
            assert_eq!(pages[path]["status"], 200, "{path}: {}", pages[path]["body"]);
            let body = pages[path]["body"].as_str().unwrap();
            for word in words {
                assert!(body.contains(word), "{path} does not say {word}: {body}");
            }
            // A moment in milliseconds would be in the year 58858.
            assert!(!body.contains("58858"), "{path}");
        };
        holds("/", &["Processed"]);
        holds("/queues", &["default"]);
        holds("/queues/default", &["Waits"]);
        holds("/busy", &["Slow", owner.split(':').next().unwrap()]);
        holds("/scheduled", &["Later"]);
        holds("/retries", &["Fails", "no luck today"]);
        holds("/morgue", &["Fails", "no luck today"]);

        // Its button works: the second attempt comes at once.
        assert_eq!(sidekiq(&redis, &["retry"]).await["retried"], 1);
        bench
            .sql(
                "UPDATE jobs SET state = 'done', lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL, \
                   finished_at = created_at WHERE state = 'running'",
            )
            .await;
        running.kill().await;
        let again = redis.queue(bench, quick());
        on(&again, "Fails", |_, _| async { Ok(()) }).await;
        let running = start(&again);
        bench.reaches(failing, State::Done).await;
        running.stop().await;
    })
    .await;
}
