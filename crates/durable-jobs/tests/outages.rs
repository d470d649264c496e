//! The database goes away and comes back.

use std::time::Duration;

use durable_jobs::{Settings, entity::job::State, tx};
use sea_orm::ConnectionTrait;
use tokio::time::{Instant, sleep};

use crate::{
    crashes::{Fleet, Orders, Role, findings, prepare},
    server::Server,
    support::{Bench, DEADLINE, bench, bench_on, connect, job, number, on, quick, start, until},
};

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

/// Claims that the runner gave up are still under way in the database, and are granted when it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_began_is_not_dead_after_the_database_hung() {
    bench(async |bench| {
        let queue = bench.queue(Settings { lease: Duration::from_secs(3), ..quick() });
        on(&queue, "Once", |_, _| async { Ok(()) }).await;
        let running = start(&queue);
        let first = bench.put(job("Once")).await.id;
        bench.reaches(first, State::Done).await;
        let outside = connect(&bench.url, 1).await;
        let lock = tx::begin(&outside).await.unwrap();
        if bench.is_postgres() {
            lock.execute_unprepared("LOCK TABLE jobs IN EXCLUSIVE MODE").await.unwrap();
        }
        let id = durable_jobs::enqueue(&lock, job("Once").attempts(1)).await.unwrap().id;
        sleep(Duration::from_secs(5)).await; // longer than a lease
        lock.commit().await.unwrap();
        assert_eq!(bench.reaches(id, State::Done).await.attempts, 1);
        running.stop().await;
        outside.close().await.unwrap();
    })
    .await;
}

/// The claim was granted, but the answer came too late to be heard. Its lease is long.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_nobody_heard_of_is_given_back_before_its_lease_is_over() {
    bench(async |bench| {
        if !bench.is_postgres() {
            return; // cannot be made to dawdle
        }
        bench.sql("CREATE SEQUENCE claims").await;
        bench
            .sql(
                "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF nextval('claims') = 1 THEN PERFORM pg_sleep(5); END IF; RETURN NEW; END $$",
            )
            .await;
        bench
            .sql(
                "CREATE TRIGGER dawdle BEFORE UPDATE ON jobs FOR EACH ROW \
                 WHEN (OLD.state = 'queued' AND NEW.state = 'running') EXECUTE FUNCTION dawdle()",
            )
            .await;
        let queue = bench.queue(Settings { lease: Duration::from_secs(12), ..quick() }); // listens for four seconds
        on(&queue, "Once", |_, _| async { Ok(()) }).await;
        let id = bench.put(job("Once").attempts(1)).await.id;
        let running = start(&queue);
        let row = bench.reaches(id, State::Done).await;
        running.stop().await;
        assert_eq!((row.attempts, row.last_error), (1, None));
        assert_eq!(bench.number("SELECT last_value AS n FROM claims").await, 2);
    })
    .await;
}

/// From the moment that the database answers again. The crate aims at five seconds; the machine may be busy.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// Longer than a lease.
const HANGS_FOR: Duration = Duration::from_secs(6);

/// X1 and X2: the server crashes, or hangs without a word. No process is started again: who does not come back by itself
/// is missed.
#[tokio::test(flavor = "multi_thread")]
async fn runners_come_back_by_themselves_when_the_server_crashes_or_hangs_under_load() {
    if std::env::var("TEST_DATABASE_URL").is_err() {
        return; // SQLite has no server
    }
    let server = Server::start();
    bench_on(&server.url(), async |bench| {
        prepare(bench).await;
        let worker = Orders { tame: true, ..Orders::worker(&bench.url) };
        let submitter = Orders { role: Role::Submitter, ..worker.clone() };
        let mut fleet = Fleet::start([submitter, worker.clone(), worker]);
        let mut slowest = Duration::ZERO;
        for round in 1..=3 {
            bench.sql(&format!("UPDATE goal SET n = {}", round * 100)).await;
            let begun = finished(bench).await;
            until(async || finished(bench).await >= begun + 20).await;
            if round == 2 {
                server.freeze();
                sleep(HANGS_FOR).await;
                server.thaw();
            } else {
                server.crash_and_start();
            }
            let back = Instant::now();
            let then = finished(bench).await;
            until(async || finished(bench).await > then).await;
            slowest = slowest.max(back.elapsed());
        }
        let left = "SELECT COUNT(*) AS n FROM jobs WHERE state IN ('queued', 'running')";
        let all_over = async || finished(bench).await == 300 && bench.number(left).await == 0;
        assert!(fleet.until(all_over, DEADLINE).await, "{} finished", finished(bench).await);
        let (_, deaths) = fleet.dismiss().await;
        println!("at work again after {slowest:?} at most");
        assert_eq!(deaths.aborted, 0, "a process died of it");
        assert_eq!(findings(&bench.db).await, Vec::<String>::new());
        assert!(slowest < BACK_WITHIN, "at work again only after {slowest:?}");
    })
    .await;
}

/// Asked until there is an answer.
async fn finished(bench: &Bench) -> i64 {
    let ask = "SELECT COUNT(*) AS n FROM jobs WHERE state IN ('done', 'dead')";
    let end = Instant::now() + DEADLINE;
    loop {
        match tokio::time::timeout(Duration::from_secs(5), number(&bench.db, ask)).await {
            Ok(Ok(number)) => return number,
            unanswered => assert!(Instant::now() < end, "{unanswered:?}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}
