//! Hints on their way out: whoever enqueues hands over an id and goes on.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use redis::Pipeline;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryTrait,
    Statement,
};
use tokio::sync::mpsc;

use super::{Redis, key, wire};
use crate::{
    beat::Streak,
    clock,
    entity::job::{Column, Entity, Model, State},
    jobs::Enqueued,
};

/// Hints that wait for Redis; more are lost, and the sweep finds their jobs.
const OUTBOX: usize = 10_000;
/// Hints per conversation.
const BATCH: usize = 100;

impl Redis {
    pub(crate) fn notify(self: &Arc<Self>, db: &DatabaseConnection, job: &Enqueued) {
        self.here.notify();
        if job.duplicate {
            return; // it was hinted when it was inserted
        }
        let outbox = self.outbox.get_or_init(|| {
            let (outbox, hints) = mpsc::channel(OUTBOX);
            tokio::spawn(carry(Arc::downgrade(self), db.clone(), hints));
            outbox
        });
        let _ = outbox.try_send(job.id);
    }

    /// A sweep while all slots are busy finds the whole backlog again and again. Only what Redis lacks is pushed.
    pub(crate) async fn remind(&self, db: &DatabaseConnection, jobs: &[Enqueued]) -> Result<(), DbErr> {
        if jobs.is_empty() {
            return Ok(());
        }
        self.here.notify();
        let due = due_by_queue(db).await?;
        let mut lengths = redis::pipe();
        for queue in due.keys() {
            lengths.llen(key::queue(queue));
        }
        let Ok(lengths) = self.link.ask::<Vec<i64>>(&lengths).await else { return Ok(()) };
        let mut room: HashMap<&str, i64> =
            due.iter().zip(lengths).map(|((queue, due), there)| (queue.as_str(), due - there)).collect();
        let lacking = jobs.iter().filter(|job| {
            let room = room.entry(&job.queue).or_default();
            *room -= 1;
            *room >= 0
        });
        let lacking: Vec<i64> = lacking.map(|job| job.id).collect();
        if let Err(error) = self.push(db, &lacking).await {
            tracing::debug!(%error, "hints not sent; the next sweep tries again");
        }
        Ok(())
    }

    /// Says of these rows what is so now.
    async fn push(&self, db: &impl ConnectionTrait, ids: &[i64]) -> Result<(), DbErr> {
        let now = clock::now(db).await?;
        let waiting = Entity::find()
            .filter(Column::Id.is_in(ids.iter().copied()))
            .filter(Column::State.eq(State::Queued))
            .build(db.get_database_backend());
        let mut hints = redis::pipe();
        // A row that cannot be read gets no hint and keeps nobody from theirs.
        for row in db.query_all_raw(waiting).await?.iter().filter_map(|row| Model::from_query_result(row, "").ok()) {
            hint(&mut hints, &row, now)?;
        }
        if hints.is_empty() {
            return Ok(());
        }
        hints.publish(key::HINTS, "").ignore();
        self.link.ask::<()>(&hints).await
    }
}

fn hint(hints: &mut Pipeline, row: &Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    if row.run_at <= now {
        hints.sadd("queues", &row.queue).ignore();
        hints.lpush(key::queue(&row.queue), wire::due(row, now)?).ignore();
    } else {
        let set = if row.last_error.is_some() { "retry" } else { "schedule" };
        hints.zadd(set, wire::shown(row, now)?, wire::score(row)).ignore();
    }
    Ok(())
}

async fn carry(redis: std::sync::Weak<Redis>, db: DatabaseConnection, mut hints: mpsc::Receiver<i64>) {
    let mut streak = Streak::new("send hints");
    let mut batch = Vec::with_capacity(BATCH);
    while hints.recv_many(&mut batch, BATCH).await > 0 {
        let Some(redis) = redis.upgrade() else { return };
        match redis.push(&db, &batch).await {
            Ok(()) => streak.ended(),
            Err(error) => drop(streak.failed(&error)), // lost; the next ones may be luckier
        }
        batch.clear();
    }
}

async fn due_by_queue(db: &impl ConnectionTrait) -> Result<HashMap<String, i64>, DbErr> {
    let now = clock::now(db).await?;
    let sql = "SELECT queue, COUNT(*) AS n FROM jobs WHERE state = 'queued' AND run_at <= $1 GROUP BY queue";
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [now.into()])).await?;
    rows.iter().map(|row| Ok((row.try_get("", "queue")?, row.try_get("", "n")?))).collect()
}
