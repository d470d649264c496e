//! Processes that are killed with SIGKILL while they work.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use durable_jobs::{DurableQueue, NewJob, entity::job::State, tx};
use loco_rs::bgworker::QueueProvider;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{bench, connect, on, short_leases, until};

/// Tells a re-execution of this binary which database to work on.
const WORK_ON: &str = "DURABLE_JOBS_TEST_WORK_ON";
const JOBS: i64 = 240;
const KILLS: usize = 10;

/// The worker process. Not a test: without the variable it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "re-executed by the test below"]
async fn child() {
    let Ok(url) = std::env::var(WORK_ON) else { return };
    let db = connect(&url, 6).await;
    let queue = DurableQueue::embedded(db.clone(), durable_jobs::Settings { concurrency: 4, ..short_leases() });
    on(&queue, "Apply", move |_, args| {
        let (db, target) = (db.clone(), args["target"].as_i64().unwrap());
        async move {
            let say = |sql: &str| Statement::from_sql_and_values(db.get_database_backend(), sql, [target.into()]);
            db.execute_raw(say("UPDATE targets SET begun = begun + 1 WHERE id = $1")).await?;
            sleep(Duration::from_millis(40)).await;
            // The effect is guarded, so that an attempt after a crash between effect and `done` applies nothing.
            db.execute_raw(say("UPDATE targets SET applied = applied + 1, held = 0 WHERE id = $1 AND held = 1"))
                .await?;
            sleep(Duration::from_millis(40)).await;
            Ok(())
        }
    })
    .await;
    queue.run(Vec::new()).await.unwrap();
}

struct Worker(Child);

impl Worker {
    fn start(url: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["crashes::child", "--exact", "--ignored", "--test-threads=1"])
            .env(WORK_ON, url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    async fn freeze_for(&self, time: Duration) {
        self.signal("-STOP");
        sleep(time).await;
        self.signal("-CONT");
        sleep(Duration::from_millis(500)).await;
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_many_kills_every_job_is_done_and_its_effect_applied_once() {
    bench(async |bench| {
        bench
            .sql(
                "CREATE TABLE targets (id BIGINT PRIMARY KEY, begun BIGINT NOT NULL, applied BIGINT NOT NULL, \
                 held BIGINT NOT NULL)",
            )
            .await;
        tx::write(&bench.db, async |txn| {
            for target in 0..JOBS {
                txn.execute_unprepared(&format!("INSERT INTO targets VALUES ({target}, 0, 0, 1)")).await?;
                let _ =
                    durable_jobs::enqueue(txn, NewJob::new("Apply", json!({ "target": target })).attempts(100)).await?;
            }
            Ok::<_, DbErr>(())
        })
        .await
        .unwrap();

        let mut workers = vec![Worker::start(&bench.url), Worker::start(&bench.url)];
        for kill in 0..KILLS {
            // In the middle of work: some job is running, and something was begun since the last kill.
            let begun = bench.number("SELECT CAST(SUM(begun) AS BIGINT) AS n FROM targets").await;
            until(async || {
                bench.count(State::Done).await == JOBS as u64
                    || bench.number("SELECT CAST(SUM(begun) AS BIGINT) AS n FROM targets").await > begun + 2
            })
            .await;
            if kill % 5 == 4 {
                // A process that wakes up when its leases are long somebody else's.
                workers[0].freeze_for(Duration::from_millis(3500)).await;
            }
            workers.remove(0).kill();
            workers.push(Worker::start(&bench.url));
            sleep(Duration::from_millis(37 * (kill as u64 % 5))).await;
        }
        bench.all_done(JOBS as u64).await;
        drop(workers);

        let applied_once = bench.number("SELECT COUNT(*) AS n FROM targets WHERE applied = 1").await;
        let begun = bench.number("SELECT CAST(SUM(begun) AS BIGINT) AS n FROM targets").await;
        assert_eq!(applied_once, JOBS);
        assert!(begun > JOBS, "no kill hit a running job: {begun} attempts");
        assert_eq!(bench.number("SELECT COUNT(*) AS n FROM jobs WHERE lease_token IS NOT NULL").await, 0);
    })
    .await;
}
