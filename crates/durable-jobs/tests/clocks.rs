//! Whose clock counts. On `SQLite` all processes live on one host and share its clock; on `PostgreSQL` it is the
//! database's, whatever a host believes.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use durable_jobs::{DurableQueue, Settings, entity::job::State, tx};
use futures::future::join;
use sea_orm::DatabaseConnection;
use tokio::time::{Instant, sleep};

use crate::support::{Bench, bench, connect, job, on, short_leases, start};

/// X11: our host's clock is wrong by an hour, as the database sees it.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_is_an_hour_off_works_like_any_other() {
    join(Box::pin(off_by(1)), Box::pin(off_by(-1))).await;
}

async fn off_by(hours: i64) {
    bench(async |bench| {
        if !bench.is_postgres() {
            return;
        }
        let db = wrong_clock(bench, hours).await;
        let settings = Settings { lease: Duration::from_secs(3), ..short_leases() };
        let put = async |new| tx::write(&db, async |txn| durable_jobs::enqueue(txn, new).await).await.unwrap().id;

        // A process dies. By our clock its lease would end in an hour, or was over an hour ago.
        let dying = queue(&db, &settings, Duration::from_secs(3600)).await;
        let running = start(&dying);
        let orphan = put(job("Work")).await;
        bench.reaches(orphan, State::Running).await;
        running.kill().await;
        let died = Instant::now();

        let queue = queue(&db, &settings, Duration::from_secs(5)).await;
        let running = start(&queue);
        let long = put(job("Work")).await; // longer than a lease
        let later = put(job("Work").in_(Duration::from_secs(2))).await;
        bench.reaches(later, State::Done).await;
        bench.reaches(long, State::Done).await;
        bench.reaches(orphan, State::Done).await;
        running.stop().await;
        assert!(died.elapsed() < Duration::from_secs(45));
        for (id, attempts) in [(long, 1), (later, 1), (orphan, 2)] {
            let row = bench.row(id).await;
            assert_eq!(row.attempts, attempts, "{row:?}");
            assert!(row.finished_at.unwrap() - row.run_at >= TimeDelta::seconds(5));
            let theirs = Utc::now() + TimeDelta::hours(hours);
            assert!((theirs - row.created_at).abs() < TimeDelta::minutes(5), "the database has our clock: {row:?}");
        }
        let row = bench.row(later).await;
        assert!(row.run_at - row.created_at >= TimeDelta::seconds(2));
        db.close().await.unwrap();
    })
    .await;
}

/// Connections on which the database's clock differs from ours: a function of the same name stands before its own.
async fn wrong_clock(bench: &Bench, hours: i64) -> DatabaseConnection {
    bench.sql("CREATE SCHEMA wrong").await;
    for clock in ["clock_timestamp", "now", "statement_timestamp", "transaction_timestamp"] {
        bench
            .sql(&format!(
                "CREATE FUNCTION wrong.{clock}() RETURNS timestamptz LANGUAGE sql VOLATILE \
                 AS $$ SELECT pg_catalog.{clock}() + interval '{hours} hours' $$"
            ))
            .await;
    }
    bench
        .sql(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = wrong, pg_catalog, public', \
             current_database()); END $$",
        )
        .await;
    connect(&bench.url, 8).await
}

async fn queue(db: &DatabaseConnection, settings: &Settings, length: Duration) -> DurableQueue {
    let queue = DurableQueue::embedded(db.clone(), settings.clone());
    on(&queue, "Work", move |_, _| async move {
        sleep(length).await;
        Ok(())
    })
    .await;
    queue
}
