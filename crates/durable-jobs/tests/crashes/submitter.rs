//! The process that asks for work: a change and its job in one transaction, some of which do not commit.

use std::time::Duration;

use durable_jobs::{DEFAULT_QUEUE, DurableQueue, Enqueued, NewJob, enqueue, tx};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, Statement, Value};
use tokio::time::sleep;

use super::worker::{Kind, LONG, Mutant, Orders, Task};
use crate::support::{connect, number};

/// Submits until there are as many targets as the goal says, again and again, until it is killed.
pub async fn submit(orders: Orders) {
    let db = connect(&orders.url, 3).await;
    let queue = orders.queue(db.clone());
    loop {
        let missing = "SELECT (SELECT n FROM goal) - (SELECT COUNT(*) FROM targets) AS n";
        match number(&db, missing).await {
            Ok(missing) if missing > 0 => {
                let number = rand::random_range(0..10_000) * 100
                    + rand::random_range(if orders.tame { 14..100 } else { 0..100 });
                // An error is the database's trouble; whether this one was committed, the tables say.
                let target = one(&db, &Wish::numbered(number), orders.mutant).await;
                // Embedded hints would stay in this process.
                if let (Ok(target), Some(_)) = (target, &orders.redis) {
                    hint(&db, &queue, target).await;
                }
            }
            _ => sleep(Duration::from_millis(30)).await,
        }
    }
}

async fn hint(db: &DatabaseConnection, queue: &DurableQueue, target: i64) {
    let job = number(db, &format!("SELECT job AS n FROM targets WHERE id = {target}")).await;
    let hint = |id| Enqueued { id, queue: DEFAULT_QUEUE.to_owned(), class: "Work".to_owned(), duplicate: false };
    queue.hint(&job.ok().map(hint).into_iter().collect::<Vec<_>>()).await;
}

/// What a target is to become.
pub struct Wish {
    pub kind: Kind,
    pub first_ms: u64,
    pub later_ms: u64,
    pub detached: bool,
    pub blocks_ms: u64,
    /// The transaction changes its mind.
    pub rolled_back: bool,
}

impl Wish {
    pub fn new(kind: Kind, first_ms: u64, later_ms: u64) -> Self {
        Self { kind, first_ms, later_ms, detached: true, blocks_ms: 0, rolled_back: false }
    }

    /// Of a hundred in a row: 1 aborts always and 1 once, 1 fails always, 3 fail and 3 panic at first, 2 are malformed,
    /// 2 of an unknown class, 1 is longer than a lease; one in ten is rolled back.
    fn numbered(number: u64) -> Self {
        let (kind, ms) = match number % 100 {
            0 => (Kind::Aborts, 30),
            1 => (Kind::AbortsOnce, 30),
            2 => (Kind::Hopeless, 30),
            3..=5 => (Kind::Fails, 30),
            6..=8 => (Kind::Panics, 30),
            9..=10 => (Kind::Malformed, 30),
            11..=12 => (Kind::Unknown, 30),
            13 => (Kind::Plain, 2_500),
            other => (Kind::Plain, 20 + (other * 37) % 130),
        };
        let rolled_back = (number / 100).is_multiple_of(10);
        Self {
            kind,
            first_ms: ms,
            later_ms: ms,
            detached: (number / 1000).is_multiple_of(2),
            blocks_ms: 0,
            rolled_back,
        }
    }

    fn attempts(&self) -> i32 {
        match self.kind {
            Kind::Aborts => 2,
            Kind::Hopeless => 3,
            Kind::Plain | Kind::Fails | Kind::Panics | Kind::AbortsOnce | Kind::Malformed | Kind::Unknown => 100,
        }
    }

    fn job(&self, target: i64) -> NewJob {
        let class = if self.kind == Kind::Unknown { "NextRelease" } else { "Work" };
        let (kind, detached, blocks_ms) = (self.kind, self.detached, self.blocks_ms);
        let task = Task { target, kind, first_ms: self.first_ms, later_ms: self.later_ms, detached, blocks_ms };
        let job = NewJob::new(class, serde_json::to_value(task).unwrap()).attempts(self.attempts());
        if target % 3 == 0 { job.on(LONG).long() } else { job }
    }
}

/// One target with its job; answers the target.
pub async fn one(db: &DatabaseConnection, wish: &Wish, mutant: Option<Mutant>) -> Result<i64, DbErr> {
    let beside = match mutant {
        Some(Mutant::EnqueuesOutside) => Some(enqueue(db, wish.job(0)).await?.id),
        _ => None,
    };
    let submitted = tx::write(db, async |txn| {
        let kind = serde_json::to_value(wish.kind).unwrap();
        let row = say(txn, "INSERT INTO targets (kind) VALUES ($1) RETURNING id", [kind.as_str().unwrap().into()]);
        let target: i64 = txn.query_one_raw(row).await?.unwrap().try_get("", "id")?;
        let job = match beside {
            Some(job) => job,
            None => in_it(txn, wish, target).await?,
        };
        txn.execute_raw(say(txn, "UPDATE targets SET job = $2 WHERE id = $1", [target.into(), job.into()])).await?;
        if wish.kind == Kind::Malformed {
            txn.execute_raw(say(txn, "UPDATE jobs SET args = '{\"half' WHERE id = $1", [job.into()])).await?;
        }
        sleep(Duration::from_millis(2)).await; // a moment to be killed in, everything written and nothing committed
        if wish.rolled_back { Err(DbErr::Custom("changed my mind".into())) } else { Ok(target) }
    })
    .await;
    if wish.rolled_back {
        db.execute_unprepared("UPDATE goal SET rolled_back = rolled_back + 1").await?;
    }
    submitted
}

/// Twice under one key, as two clicks would.
async fn in_it(txn: &DatabaseTransaction, wish: &Wish, target: i64) -> Result<i64, DbErr> {
    let key = format!("target:{target}");
    let first = enqueue(txn, wish.job(target).unique(&key)).await?;
    let second = enqueue(txn, wish.job(target).unique(&key)).await?;
    assert!(second.duplicate && second.id == first.id);
    Ok(first.id)
}

fn say<const N: usize>(db: &impl ConnectionTrait, sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}
