//! What Loco's `jobs` commands do.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use durable_jobs::{
    CANCELLED, Settings,
    entity::job::{self, State},
    tidy, tx,
};
use loco_rs::bgworker::{JobStatus, QueueProvider};
use sea_orm::{EntityTrait, QueryOrder};

use crate::support::{Bench, bench, job, on, quick, start};

/// One job of each kind: queued, running, done, dead, cancelled.
async fn one_of_each(bench: &Bench) -> [i64; 5] {
    let queue = bench.queue(quick());
    on(&queue, "Good", |_, _| async { Ok(()) }).await;
    on(&queue, "Bad", |_, _| async { Err(loco_rs::Error::string("bad")) }).await;
    let running = start(&queue);
    let done = bench.put(job("Good")).await.id;
    let dead = bench.put(job("Bad").attempts(1).unique("bad")).await.id;
    bench.reaches(done, State::Done).await;
    bench.reaches(dead, State::Dead).await;
    running.stop().await;
    let cancelled = bench.put(job("Unwanted")).await.id;
    queue.cancel_jobs_by_name("Unwanted").await.unwrap();
    let queued = bench.put(job("Later").on("mail").priority(4)).await.id;
    let running = bench.put(job("Now")).await.id;
    bench
        .sql(&format!(
            "UPDATE jobs SET state = 'running', attempts = 1, lease_token = 5, \
             lease_expires_at = '2099-01-01T00:00:00+00:00' WHERE id = {running}"
        ))
        .await;
    [queued, running, done, dead, cancelled]
}

#[tokio::test]
async fn every_row_has_a_status_that_loco_knows() {
    bench(async |bench| {
        let ids = one_of_each(bench).await;
        let queue = bench.queue(Settings::default());
        let statuses =
            [JobStatus::Queued, JobStatus::Processing, JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled];
        for (id, status) in ids.iter().zip(&statuses) {
            let found = queue.get_jobs(Some(&vec![status.clone()]), None).await.unwrap();
            assert_eq!(found.iter().map(|job| job.id.clone()).collect::<Vec<_>>(), [id.to_string()], "{status}");
            assert_eq!(found[0].status, *status);
        }
        let all = queue.get_jobs(None, None).await.unwrap();
        assert_eq!(all.len(), 5);
        let mail = all.iter().find(|job| job.name == "Later").unwrap();
        assert_eq!((mail.priority, mail.tags.as_deref()), (4, Some(&["mail".to_owned()][..])));
        assert_eq!(queue.get_jobs(None, Some(1)).await.unwrap().len(), 0, "none is a day old");

        queue.clear_by_status(vec![JobStatus::Completed, JobStatus::Cancelled]).await.unwrap();
        assert_eq!(queue.get_jobs(None, None).await.unwrap().len(), 3);
        queue.clear_jobs_older_than(1, Some(&vec![JobStatus::Failed])).await.unwrap();
        assert_eq!(queue.get_jobs(None, None).await.unwrap().len(), 3);
        queue.clear_jobs_older_than(0, Some(&vec![JobStatus::Failed])).await.unwrap();
        assert_eq!(queue.get_jobs(None, None).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_failed_job_can_be_tried_again_unless_its_key_is_taken() {
    bench(async |bench| {
        let [_, _, done, dead, cancelled] = one_of_each(bench).await;
        let queue = bench.queue(Settings::default());
        let holder = bench.put(job("Bad").unique("bad")).await;
        assert!(!holder.duplicate);
        assert_eq!(queue.retry_failed(None).await.unwrap(), 0);
        queue.cancel_jobs_by_name("Bad").await.unwrap();
        for other in [done.to_string(), cancelled.to_string(), "not a number".to_owned()] {
            assert_eq!(queue.retry_failed(Some(&other)).await.unwrap(), 0);
        }
        assert_eq!(queue.retry_failed(Some(&dead.to_string())).await.unwrap(), 1);
        let row = bench.row(dead).await;
        assert_eq!((row.state, row.attempts, row.finished_at), (State::Queued, 0, None));
    })
    .await;
}

#[tokio::test]
async fn requeue_releases_expired_leases_and_no_others() {
    bench(async |bench| {
        let [_, live, ..] = one_of_each(bench).await;
        let queue = bench.queue(Settings::default());
        queue.requeue(&0).await.unwrap();
        assert_eq!(bench.row(live).await.state, State::Running);
        let past = (chrono::Utc::now() - chrono::TimeDelta::minutes(10)).to_rfc3339();
        bench.sql(&format!("UPDATE jobs SET lease_expires_at = '{past}' WHERE id = {live}")).await;
        queue.requeue(&30).await.unwrap();
        assert_eq!(bench.row(live).await.state, State::Running);
        queue.requeue(&5).await.unwrap();
        assert_eq!(bench.row(live).await.state, State::Queued);
    })
    .await;
}

/// An alert, or somebody who waits, can tell that nothing is left to do about it.
#[tokio::test]
async fn a_discarded_job_says_that_it_is() {
    bench(async |bench| {
        let [queued, running, done, dead, cancelled] = one_of_each(bench).await;
        let discard = async |id| tx::write(&bench.db, async |txn| durable_jobs::discard(txn, id).await).await.unwrap();
        assert_ne!(bench.row(dead).await.last_error.as_deref(), Some(CANCELLED));
        for id in [queued, dead] {
            assert!(discard(id).await);
            let row = bench.row(id).await;
            assert_eq!((row.state, row.last_error.as_deref()), (State::Dead, Some(CANCELLED)));
        }
        for id in [queued, running, done, dead, cancelled] {
            assert!(!discard(id).await);
        }
    })
    .await;
}

/// Everything in the table that is over was over so many days ago.
async fn over_since(bench: &Bench, days: i64) {
    let then = (Utc::now() - TimeDelta::days(days)).to_rfc3339();
    bench.sql(&format!("UPDATE jobs SET created_at = '{then}'")).await;
    bench.sql(&format!("UPDATE jobs SET finished_at = '{then}' WHERE finished_at IS NOT NULL")).await;
}

#[tokio::test]
async fn what_was_over_long_ago_is_tidied_away_and_nothing_else() {
    bench(async |bench| {
        let month = Duration::from_secs(30 * 24 * 60 * 60);
        let [queued, running, done, dead, cancelled] = one_of_each(bench).await;
        assert_eq!(tidy(&bench.db, month).await.unwrap(), 0);
        over_since(bench, 40).await;
        // Tried for a month, and over only now.
        let now = Utc::now().to_rfc3339();
        bench.sql(&format!("UPDATE jobs SET finished_at = '{now}' WHERE id = {done}")).await;
        // More than one portion.
        bench
            .sql(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
                 INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, created_at, finished_at) \
                 SELECT 'Old', '{}', 'default', 0, 'done', run_at, 1, 1, created_at, created_at FROM jobs, n \
                 WHERE class = 'Later'",
            )
            .await;
        assert_eq!(tidy(&bench.db, month).await.unwrap(), 2_501);
        let left = job::Entity::find().order_by_asc(job::Column::Id).all(&bench.db).await.unwrap();
        let mut kept = [queued, running, done, dead];
        kept.sort_unstable();
        assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), kept, "{cancelled} was cancelled before");
        over_since(bench, 40).await;
        assert_eq!(tidy(&bench.db, Duration::MAX).await.unwrap(), 0);
        assert_eq!(tidy(&bench.db, month).await.unwrap(), 1);
        assert_eq!((bench.count(State::Done).await, bench.count(State::Dead).await), (0, 1));
    })
    .await;
}

/// What another client pushed may come again.
#[tokio::test]
async fn an_adopted_job_is_known_for_three_months() {
    bench(async |bench| {
        let day = Duration::from_secs(24 * 60 * 60);
        for key in ["jid:ab", "run:7"] {
            let _ = bench.put(job("Ping").unique(key)).await;
        }
        bench.sql("UPDATE jobs SET state = 'done', finished_at = created_at").await;
        over_since(bench, 80).await;
        assert_eq!(tidy(&bench.db, day).await.unwrap(), 1);
        assert_eq!(bench.text("SELECT dedupe_key FROM jobs").await, "jid:ab");
        over_since(bench, 100).await;
        assert_eq!(tidy(&bench.db, day * 120).await.unwrap(), 0);
        assert_eq!(tidy(&bench.db, day).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_table_is_never_flushed() {
    bench(async |bench| {
        let queue = bench.queue(Settings::default());
        let _ = bench.put(job("Ping")).await;
        queue.setup().await.unwrap();
        queue.ping().await.unwrap();
        assert!(queue.clear().await.unwrap_err().to_string().contains("does not clear"));
        assert_eq!(bench.count(State::Queued).await, 1);
        assert!(queue.describe().contains("durable"));
    })
    .await;
}

/// `SQLite` keeps what it is given: arguments may be bytes that are no text.
#[tokio::test]
async fn a_damaged_row_keeps_nobody_from_listing_and_retrying_the_others() {
    bench(async |bench| {
        if bench.is_postgres() {
            return;
        }
        let [_, _, _, dead, _] = one_of_each(bench).await;
        let damaged = bench.put(job("Damaged")).await.id;
        let half = format!("UPDATE jobs SET args = x'fffe', state = 'dead', finished_at = run_at WHERE id = {damaged}");
        bench.sql(&half).await;
        let queue = bench.queue(Settings::default());
        let failed = queue.get_jobs(Some(&vec![JobStatus::Failed]), None).await.unwrap();
        assert_eq!(failed.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["Bad", "Damaged"]);
        assert!(failed[1].data.as_str().unwrap().starts_with("unreadable"));
        assert_eq!(queue.retry_failed(None).await.unwrap(), 2);
        assert_eq!(bench.row(dead).await.state, State::Queued);
    })
    .await;
}
