//! The clock and the transaction helper, which the application uses too.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use durable_jobs::{NewJob, clock, enqueue, entity::tick, tx};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectOptions, ConnectionTrait, Database, DatabaseConnection,
    DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait, QueryOrder, TransactionTrait,
};
use serde_json::json;

use crate::support::{Anyhow, bench, connect, number};

#[derive(Debug, PartialEq)]
enum Refusal {
    NotEnough(i64),
    Database(String),
}

impl From<DbErr> for Refusal {
    fn from(error: DbErr) -> Self {
        Self::Database(error.to_string())
    }
}

struct Account<'a> {
    name: &'a str,
}

impl Account<'_> {
    /// Like a verb of the application: borrows itself, its arguments and the transaction.
    async fn rename(&self, txn: &DatabaseTransaction, by: &str) -> Anyhow<i64> {
        let job = NewJob::new(self.name, json!({ "by": by }));
        Ok(enqueue(txn, job).await?.id)
    }

    async fn submit(&self, db: &DatabaseConnection, by: &str, parts: &[String]) -> Result<i64, Refusal> {
        tx::write(db, async |txn| {
            let mut last = 0;
            for part in parts {
                last = self.rename(txn, part).await?;
            }
            if by.is_empty() {
                return Err(Refusal::NotEnough(last));
            }
            nested(txn, by).await?;
            Ok(last)
        })
        .await
    }
}

async fn nested(db: &impl ConnectionTrait, by: &str) -> Result<(), DbErr> {
    let _ = enqueue(db, NewJob::new("Nested", json!({ "by": by }))).await?;
    Ok(())
}

#[async_trait]
trait Door {
    async fn open(&self, by: &str) -> Result<i64, Refusal>;
}

struct House {
    db: DatabaseConnection,
}

#[async_trait]
impl Door for House {
    async fn open(&self, by: &str) -> Result<i64, Refusal> {
        let account = Account { name: "House" };
        let parts = vec![by.to_owned()];
        tx::write(&self.db, async |txn| account.rename(txn, by).await).await?;
        account.submit(&self.db, by, &parts).await
    }
}

/// That this compiles is most of the test: the futures are spawned, boxed and borrow what they like.
#[tokio::test(flavor = "multi_thread")]
async fn an_async_closure_is_send_where_axum_and_loco_need_it() {
    bench(async |bench| {
        let db = bench.db.clone();
        let spawned = tokio::spawn(async move {
            let (name, parts) = (String::from("Spawned"), vec![String::from("a"), String::from("b")]);
            let account = Account { name: &name };
            account.submit(&db, "me", &parts).await
        });
        assert!(spawned.await.unwrap().is_ok());

        let house: Arc<dyn Door + Send + Sync> = Arc::new(House { db: bench.db.clone() });
        assert!(tokio::spawn(async move { house.open("me").await }).await.unwrap().is_ok());

        let before = bench.number("SELECT COUNT(*) AS n FROM jobs").await;
        let refused = Account { name: "x" }.submit(&bench.db, "", &["a".to_owned()]).await;
        assert!(matches!(refused, Err(Refusal::NotEnough(_))));
        assert_eq!(bench.number("SELECT COUNT(*) AS n FROM jobs").await, before, "an error rolls back");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_read_and_then_write_wait_for_one_another() {
    bench(async |bench| {
        bench.sql("CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)").await;
        bench.sql("INSERT INTO counters VALUES (1, 0)").await;
        // X18: somebody reads what was then, all the while.
        let reader = connect(&bench.url, 1).await.begin().await.unwrap();
        assert_eq!(number(&reader, "SELECT n FROM counters").await.unwrap(), 0);
        let mut writers = Vec::new();
        for _ in 0..8 {
            // A pool of its own, as another process would have.
            let db = connect(&bench.url, 1).await;
            writers.push(tokio::spawn(async move {
                for _ in 0..25 {
                    tx::write(&db, async |txn| {
                        tick::Entity::find().count(txn).await?;
                        txn.execute_unprepared("UPDATE counters SET n = n + 1 WHERE id = 1").await.map(|_| ())
                    })
                    .await?;
                }
                Ok::<_, DbErr>(())
            }));
        }
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        if !bench.is_postgres() {
            assert_eq!(number(&reader, "SELECT n FROM counters").await.unwrap(), 0);
        }
        reader.rollback().await.unwrap();
        assert_eq!(bench.number("SELECT n FROM counters").await, 200);
    })
    .await;
}

#[tokio::test]
async fn moments_come_back_as_they_were_and_in_order() {
    bench(async |bench| {
        let whole: DateTime<Utc> = "2026-11-21T10:00:00Z".parse().unwrap();
        // Text of different lengths on SQLite: no fraction, milliseconds, microseconds.
        let micros = [0, 1, 999, 1_000, 1_001, 500_000, 999_999, 1_000_000, 60_000_000];
        for (index, at) in micros.into_iter().enumerate().rev() {
            let last_tick = Set(whole + TimeDelta::microseconds(at));
            tick::ActiveModel { name: Set(index.to_string()), last_tick }.insert(&bench.db).await.unwrap();
        }
        let rows = tick::Entity::find().order_by_asc(tick::Column::LastTick).all(&bench.db).await.unwrap();
        let read: Vec<_> = rows.iter().map(|row| (row.last_tick - whole).num_microseconds().unwrap()).collect();
        assert_eq!(read, micros);

        let now = clock::now(&bench.db).await.unwrap();
        assert_eq!(clock::microseconds(now), now);
        assert!((Utc::now() - now).abs() < TimeDelta::minutes(5));
        assert_eq!(clock::before(clock::after(now, Duration::from_secs(9)), Duration::from_secs(9)), now);
        assert!(clock::after(now, Duration::MAX) > now);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn begin_is_tried_again_while_another_process_writes() {
    bench(async |bench| {
        if bench.is_postgres() {
            return;
        }
        // A driver that hardly waits by itself.
        let mut hasty = ConnectOptions::new(&bench.url);
        hasty.map_sqlx_sqlite_opts(|sqlite| sqlite.busy_timeout(Duration::from_millis(10)));
        let hasty = Database::connect(hasty).await.unwrap();
        let lock = tx::begin(&bench.db).await.unwrap();
        let refused = hasty.execute_unprepared("DELETE FROM jobs").await.unwrap_err();
        assert!(tx::is_busy(&refused));
        let waiting = tokio::spawn(async move {
            tx::write(&hasty, async |txn| enqueue(txn, NewJob::new("Ping", json!(null))).await).await
        });
        tokio::time::sleep(Duration::from_millis(150)).await;
        lock.commit().await.unwrap();
        assert!(!waiting.await.unwrap().unwrap().duplicate);
        assert!(!tx::is_busy(&DbErr::Custom("database is locked".into())));
    })
    .await;
}

/// Whoever asked for a transaction may be gone before it has begun: a request whose line was cut, a handler that lost its
/// lease. What others write on the same connection after that is written.
#[tokio::test]
async fn a_begin_that_is_given_up_leaves_nothing_open() {
    bench(async |bench| {
        bench.sql("CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)").await;
        bench.sql("INSERT INTO counters VALUES (1, 0)").await;
        let one = connect(&bench.url, 1).await;
        for looks in 1..60 {
            let mut begun = Box::pin(tx::begin(&one));
            for _ in 0..looks {
                if futures::poll!(begun.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(begun);
            one.execute_unprepared("UPDATE counters SET n = n + 1 WHERE id = 1").await.unwrap();
            assert_eq!(bench.number("SELECT n FROM counters").await, looks, "given up after {looks} looks");
        }
    })
    .await;
}
