//! A job exists if and only if the caller's transaction commits, and once per key.

use durable_jobs::{
    NewJob, enqueue,
    entity::job::{self, State},
    schema, tx,
};
use loco_rs::bgworker::{Queue, QueueProvider};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, PaginatorTrait};
use sea_orm_migration::SchemaManager;
use serde_json::json;

use crate::support::{Bench, bench, job, on, quick, start};

async fn rows(bench: &Bench) -> u64 {
    job::Entity::find().count(&bench.db).await.unwrap()
}

#[tokio::test]
async fn a_rollback_leaves_nothing_and_a_commit_leaves_the_job() {
    bench(async |bench| {
        let rolled_back = tx::write(&bench.db, async |txn| {
            let job = enqueue(txn, job("Ping")).await?;
            assert!(job::Entity::find_by_id(job.id).one(txn).await?.is_some());
            Err::<(), _>(DbErr::Custom("changed my mind".into()))
        });
        assert!(rolled_back.await.is_err());
        assert_eq!(rows(bench).await, 0);

        let new = NewJob::new("Ping", json!({ "n": 1 })).on("mail").priority(3).attempts(4);
        let job = bench.put(new).await;
        let row = bench.row(job.id).await;
        assert_eq!((row.class.as_str(), row.args.as_str(), row.queue.as_str()), ("Ping", r#"{"n":1}"#, "mail"));
        assert_eq!((row.priority, row.attempts, row.max_attempts, row.state), (3, 0, 4, State::Queued));
        assert_eq!(row.run_at, row.created_at);
        assert!(!job.duplicate);
    })
    .await;
}

#[tokio::test]
async fn a_live_key_gives_back_its_job_and_the_transaction_goes_on() {
    bench(async |bench| {
        let first = bench.put(job("Once").unique("k")).await;
        let (second, other) = tx::write(&bench.db, async |txn| {
            let second = enqueue(txn, job("Once").unique("k")).await?;
            Ok::<_, DbErr>((second, enqueue(txn, job("Other")).await?))
        })
        .await
        .unwrap();
        assert!(second.duplicate && !first.duplicate && !other.duplicate);
        assert_eq!(second.id, first.id);
        assert_eq!(rows(bench).await, 2);
        let third = bench.put(job("Once").unique("another")).await;
        assert!(!third.duplicate);

        let queue = bench.queue(quick());
        for class in ["Once", "Other"] {
            on(&queue, class, |_, _| async { Ok(()) }).await;
        }
        let running = start(&queue);
        bench.all_done(3).await;
        running.stop().await;
        assert!(!bench.put(job("Once").unique("k")).await.duplicate, "a key is free when its job is over");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_under_one_key_make_one_job() {
    bench(async |bench| {
        let mut callers = Vec::new();
        for _ in 0..30 {
            let db = bench.db.clone();
            callers.push(tokio::spawn(async move {
                tx::write(&db, async |txn| enqueue(txn, job("Once").unique("k")).await).await.unwrap()
            }));
        }
        let mut fresh = 0;
        for caller in callers {
            fresh += usize::from(!caller.await.unwrap().duplicate);
        }
        assert_eq!(fresh, 1);
        assert_eq!(rows(bench).await, 1);
    })
    .await;
}

#[tokio::test]
async fn loco_enqueues_too_one_or_a_batch() {
    bench(async |bench| {
        let ours = bench.queue(quick());
        let queue = Queue::from_provider(std::sync::Arc::new(ours.clone()));
        let id = queue.enqueue("Mail".into(), None, json!({ "to": 1 }), None, Some(5)).await.unwrap().unwrap();
        let row = bench.row(id.parse().unwrap()).await;
        assert_eq!((row.queue.as_str(), row.priority), ("default", 5));

        let tags = Some(vec!["slow".to_owned()]);
        let batch = vec![(json!(1), None), (json!(2), Some(9))];
        let ids = queue.enqueue_batch("Report".into(), None, batch, tags).await.unwrap();
        assert_eq!(ids.len(), 2);
        let row = bench.row(ids[1].parse().unwrap()).await;
        assert_eq!((row.queue.as_str(), row.args.as_str(), row.priority), ("slow", "2", 9));
        let id = ours.enqueue("Mail".into(), Some("mail".into()), json!({}), None, None).await.unwrap().unwrap();
        assert_eq!(bench.row(id.parse().unwrap()).await.queue, "mail");
    })
    .await;
}

#[tokio::test]
async fn the_schema_goes_down_and_up_again_and_refuses_half_states() {
    bench(async |bench| {
        // In one transaction, as migrations run: another connection may not know yet that a table is gone.
        let renewed = tx::write(&bench.db, async |txn| {
            let schema = SchemaManager::new(txn);
            schema::down(&schema).await?;
            schema::up(&schema).await
        });
        renewed.await.unwrap();
        let id = bench.put(job("Ping")).await.id;
        for half in [
            "state = 'sleeping'",
            "state = 'running'",
            "lease_token = 1",
            "state = 'done'",
            "attempts = -1",
            "max_attempts = 0",
        ] {
            let refused = bench.db.execute_unprepared(&format!("UPDATE jobs SET {half} WHERE id = {id}")).await;
            assert!(refused.is_err(), "{half}");
        }
    })
    .await;
}
