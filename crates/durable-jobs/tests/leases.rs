//! Who holds the lease decides; who lost it can change nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use durable_jobs::{Settings, entity::job::State};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::time::sleep;

use crate::support::{bench, job, on, quick, short_leases, start, until, with_alerts};

/// Notes that a handler was dropped before its end.
struct Stopped(Arc<AtomicBool>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Another process took the job over: its token is in the row.
async fn steal(db: &DatabaseConnection, id: i64) {
    let theft = format!("UPDATE jobs SET lease_token = 1, lease_owner = 'thief' WHERE id = {id} AND state = 'running'");
    assert_eq!(db.execute_unprepared(&theft).await.unwrap().rows_affected(), 1);
}

/// `SQLite` keeps what it is given: a class may be bytes that are no text.
#[tokio::test]
async fn a_damaged_row_does_not_silence_the_alert_of_another() {
    bench(async |bench| {
        if bench.is_postgres() {
            return;
        }
        let [damaged, other] =
            [bench.put(job("Ping").attempts(1)).await.id, bench.put(job("Ping").attempts(1)).await.id];
        let past = (chrono::Utc::now() - chrono::TimeDelta::seconds(1)).to_rfc3339();
        bench
            .sql(&format!(
                "UPDATE jobs SET state = 'running', attempts = 1, lease_token = 7, lease_expires_at = '{past}'"
            ))
            .await;
        bench.sql(&format!("UPDATE jobs SET class = x'fffe' WHERE id = {damaged}")).await;
        let (settings, alerts) = with_alerts(quick());
        let running = start(&bench.queue(settings));
        until(async || alerts.lock().unwrap().len() == 2).await;
        running.stop().await;
        assert_eq!(alerts.lock().unwrap()[1].id, other);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heartbeat_keeps_a_long_job_from_being_reaped() {
    bench(async |bench| {
        let runs = Arc::new(AtomicUsize::new(0));
        let mut all = Vec::new();
        for _ in 0..2 {
            let queue = bench.queue(Settings { lease: Duration::from_secs(4), ..short_leases() });
            let runs = runs.clone();
            on(&queue, "Long", move |_, _| {
                runs.fetch_add(1, SeqCst);
                async {
                    sleep(Duration::from_secs(9)).await; // more than two leases
                    Ok(())
                }
            })
            .await;
            all.push(start(&queue));
        }
        let id = bench.put(job("Long")).await.id;
        let row = bench.reaches(id, State::Done).await;
        for running in all {
            running.stop().await;
        }
        assert_eq!((row.attempts, runs.load(SeqCst)), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_handler_whose_lease_was_stolen_is_stopped() {
    bench(async |bench| {
        let queue = bench.queue(Settings { lease: Duration::from_secs(600), ..short_leases() });
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = stopped.clone();
        on(&queue, "Slow", move |_, _| {
            let guard = Stopped(flag.clone());
            async move {
                sleep(Duration::from_secs(3600)).await;
                drop(guard);
                Ok(())
            }
        })
        .await;
        let running = start(&queue);
        let id = bench.put(job("Slow")).await.id;
        bench.reaches(id, State::Running).await; // for ten minutes, as far as the runner knows
        // The thief's lease is long: nobody else takes it back meanwhile.
        bench.sql("UPDATE jobs SET lease_token = 1, lease_owner = 'thief', lease_expires_at = '2099-01-01T00:00:00+00:00'").await;
        until(async || stopped.load(SeqCst)).await;
        running.stop().await;
        let row = bench.row(id).await;
        assert_eq!((row.state, row.lease_token, row.attempts), (State::Running, Some(1), 1));
    })
    .await;
}

#[tokio::test]
async fn a_zombie_can_neither_finish_nor_fail_its_job() {
    bench(async |bench| {
        let queue = bench.queue(quick());
        for (class, good) in [("Succeeds", true), ("Fails", false)] {
            let db = bench.db.clone();
            on(&queue, class, move |id, _| {
                let db = db.clone();
                async move {
                    steal(&db, id).await;
                    if good { Ok(()) } else { Err(loco_rs::Error::string("too late")) }
                }
            })
            .await;
        }
        let running = start(&queue);
        let ids = [bench.put(job("Succeeds")).await.id, bench.put(job("Fails").attempts(1)).await.id];
        until(async || bench.number("SELECT COUNT(*) AS n FROM jobs WHERE lease_owner = 'thief'").await == 2).await;
        running.stop().await;
        for id in ids {
            let row = bench.row(id).await;
            assert_eq!((row.state, row.lease_token, row.last_error), (State::Running, Some(1), None));
        }
    })
    .await;
}

#[tokio::test]
async fn a_dead_worker_s_job_runs_again_at_once_and_in_the_end_is_dead() {
    bench(async |bench| {
        let (settings, alerts) = with_alerts(quick());
        let [again, last] = [bench.put(job("Ping").attempts(2)).await.id, bench.put(job("Ping").attempts(1)).await.id];
        // Claimed by a process that never beats.
        let past = (chrono::Utc::now() - chrono::TimeDelta::seconds(1)).to_rfc3339();
        bench
            .sql(&format!(
                "UPDATE jobs SET state = 'running', attempts = 1, lease_token = 7, lease_owner = 'gone', \
                 lease_expires_at = '{past}'"
            ))
            .await;
        let queue = bench.queue(settings);
        on(&queue, "Ping", |_, _| async { Ok(()) }).await;
        let running = start(&queue);
        assert_eq!(bench.reaches(again, State::Done).await.attempts, 2);
        let dead = bench.reaches(last, State::Dead).await;
        until(async || !alerts.lock().unwrap().is_empty()).await;
        running.stop().await;
        assert_eq!(dead.last_error.as_deref(), Some("the worker died in attempt 1 of 1"));
        let alerts = alerts.lock().unwrap();
        assert_eq!((alerts.len(), alerts[0].id), (1, last));
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_vanishes_is_followed_by_another() {
    bench(async |bench| {
        let first = bench.queue(short_leases());
        on(&first, "Ping", |_, _| async {
            sleep(Duration::from_secs(3600)).await;
            Ok(())
        })
        .await;
        let running = start(&first);
        let id = bench.put(job("Ping")).await.id;
        bench.reaches(id, State::Running).await;
        running.kill().await;

        let second = bench.queue(short_leases());
        on(&second, "Ping", |_, _| async { Ok(()) }).await;
        let running = start(&second);
        assert_eq!(bench.reaches(id, State::Done).await.attempts, 2);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_graceful_stop_waits_for_the_quick_and_gives_the_slow_back() {
    bench(async |bench| {
        let queue = bench.queue(Settings { grace: Duration::from_secs(2), ..quick() });
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = stopped.clone();
        on(&queue, "Slow", move |_, _| {
            let guard = Stopped(flag.clone());
            async move {
                sleep(Duration::from_secs(3600)).await;
                drop(guard);
                Ok(())
            }
        })
        .await;
        on(&queue, "Quick", |_, _| async {
            sleep(Duration::from_millis(500)).await;
            Ok(())
        })
        .await;
        let running = start(&queue);
        let slow = bench.put(job("Slow")).await.id;
        let quick = bench.put(job("Quick")).await.id;
        until(async || bench.count(State::Running).await == 2).await;
        let late = bench.put(job("Quick").in_(Duration::from_secs(1))).await.id;
        running.stop().await;

        assert!(stopped.load(SeqCst));
        assert_eq!(bench.row(quick).await.state, State::Done);
        assert_eq!(bench.row(late).await.state, State::Queued, "nothing is claimed after the stop");
        let row = bench.row(slow).await;
        assert_eq!((row.state, row.attempts, row.lease_token, row.lease_owner), (State::Queued, 0, None, None));
    })
    .await;
}
