//! The database goes away and comes back.

use std::time::Duration;

use durable_jobs::{Settings, entity::job::State, tx};
use sea_orm::ConnectionTrait;
use tokio::time::sleep;

use crate::support::{bench, connect, job, on, quick, start, until};

/// `PostgreSQL`: all connections are cut, again and again. `SQLite`: another process holds the write lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_does_not_stop_the_runner() {
    bench(async |bench| {
        let queue = bench.queue(quick());
        on(&queue, "Work", |_, _| async {
            sleep(Duration::from_millis(30)).await;
            Ok(())
        })
        .await;
        let running = start(&queue);
        for _ in 0..40 {
            let _ = bench.put(job("Work")).await;
        }
        until(async || bench.count(State::Done).await > 0).await;
        let outside = connect(&bench.url, 1).await;
        for _ in 0..5 {
            if bench.is_postgres() {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                outside.execute_unprepared(cut).await.unwrap();
                sleep(Duration::from_millis(100)).await;
            } else {
                let lock = tx::begin(&outside).await.unwrap();
                sleep(Duration::from_millis(300)).await;
                lock.rollback().await.unwrap();
            }
        }
        // A pool hands out a cut connection once before it notices; the helper is not under test here.
        until(async || bench.db.ping().await.is_ok()).await;
        bench.all_done(40).await;
        let after = bench.put(job("Work")).await.id;
        bench.reaches(after, State::Done).await;
        running.stop().await;
        outside.close().await.unwrap();
    })
    .await;
}

/// The tables are gone for a while, so that every statement fails: the longest streak there is.
#[tokio::test]
async fn every_loop_survives_a_database_that_refuses_everything() {
    bench(async |bench| {
        let queue = bench.queue(Settings { lease: Duration::from_secs(20), ..quick() });
        queue.timetable(vec![durable_jobs::Recurring {
            name: "ticker".into(),
            schedule: "* * * * * *".into(),
            class: "Tick".into(),
            args: serde_json::json!({}),
        }]);
        for class in ["Ping", "Tick"] {
            on(&queue, class, |_, _| async { Ok(()) }).await;
        }
        // Ends while the tables are away: its settlement has to wait for them.
        on(&queue, "Slow", |_, _| async {
            sleep(Duration::from_millis(1000)).await;
            Ok(())
        })
        .await;
        let running = start(&queue);
        let slow = bench.put(job("Slow")).await.id;
        bench.reaches(slow, State::Running).await;
        bench.sql("ALTER TABLE jobs RENAME TO jobs_away").await;
        bench.sql("ALTER TABLE job_ticks RENAME TO job_ticks_away").await;
        sleep(Duration::from_millis(2000)).await;
        bench.sql("ALTER TABLE job_ticks_away RENAME TO job_ticks").await;
        bench.sql("ALTER TABLE jobs_away RENAME TO jobs").await;
        assert_eq!(bench.reaches(slow, State::Done).await.attempts, 1);
        let id = bench.put(job("Ping")).await.id;
        bench.reaches(id, State::Done).await;
        until(async || {
            bench.number("SELECT COUNT(*) AS n FROM jobs WHERE class = 'Tick' AND state = 'done'").await > 0
        })
        .await;
        running.stop().await;
    })
    .await;
}
