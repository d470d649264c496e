//! Hints on their way in, reliably: one that was taken off a queue lies in a list of this process until it is dealt with,
//! and that list goes back when the process is silent (`shown.rs`).

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use sea_orm::{DatabaseConnection, DbErr};
use tokio::time::timeout;

use super::{
    Redis,
    adopt::{adopt, expedite},
    key,
    wire::{self, Hint},
};
use crate::provider::lock;

/// Hints of claimed jobs are taken off in portions of this.
const PORTION: i64 = 100;
/// So many unreadable hints are kept.
const KEPT: isize = 999;

/// Takes what is there, or waits until there is something new, at most until the next look is due.
pub(super) async fn pass(redis: &Redis, db: &DatabaseConnection, queues: &[String]) -> Result<Duration, DbErr> {
    if !take(redis, db, queues).await? {
        let _told_or_due = timeout(redis.settings.look_every, redis.told.notified()).await;
    }
    Ok(Duration::ZERO)
}

/// An idle process takes a hint of each queue; a busy one only those of the jobs it has claimed, so that the length of a
/// queue is about the number of jobs that wait there. `false` when there was none.
async fn take(redis: &Redis, db: &DatabaseConnection, queues: &[String]) -> Result<bool, DbErr> {
    let idle = redis.idle.load(Relaxed);
    let wanted: Vec<(String, i64)> = if idle {
        let queues = if queues.is_empty() { known(redis).await? } else { queues.to_vec() };
        queues.into_iter().map(|queue| (queue, 1)).collect()
    } else {
        let owed = lock(&redis.owed);
        owed.iter().filter(|(_, owed)| **owed > 0).map(|(queue, owed)| (queue.clone(), *owed.min(&PORTION))).collect()
    };
    if wanted.is_empty() {
        return Ok(false);
    }
    let mine = key::fetched(&redis.identity);
    let mut take = redis::pipe();
    take.atomic().sadd(key::FETCHERS, &redis.identity).ignore();
    for (queue, number) in &wanted {
        for _ in 0..*number {
            take.cmd("LMOVE").arg(key::queue(queue)).arg(&mine).arg("RIGHT").arg("LEFT");
        }
    }
    let mut taken = redis.link.ask::<Vec<Option<String>>>(&take).await?.into_iter();
    let mut any = false;
    for (queue, number) in wanted {
        let hints: Vec<String> = taken.by_ref().take(usize::try_from(number).unwrap_or_default()).flatten().collect();
        let found = i64::try_from(hints.len()).unwrap_or_default();
        {
            let mut owed = lock(&redis.owed);
            let owed = owed.entry(queue).or_default();
            // An empty queue owes nothing, and nothing is owed to it.
            *owed = if found < number { 0 } else { *owed - found };
        }
        any |= found > 0;
        for hint in hints {
            deal_with(redis, db, &mine, &hint).await?;
        }
    }
    Ok(any)
}

async fn known(redis: &Redis) -> Result<Vec<String>, DbErr> {
    let (queues,): (Vec<String>,) = redis.link.ask(redis::pipe().smembers("queues")).await?;
    Ok(queues)
}

/// First the table, then the list: dying in between means dealing with it twice, which is nothing.
async fn deal_with(redis: &Redis, db: &DatabaseConnection, mine: &str, hint: &str) -> Result<(), DbErr> {
    let mut done = redis::pipe();
    done.atomic();
    match wire::read(hint) {
        Ok(Hint::Ours { as_of: None, .. }) => {}
        Ok(Hint::Ours { row, as_of: Some(as_of) }) => expedite(db, row, as_of).await?,
        Ok(Hint::Foreign(job)) => adopt(db, job, Duration::ZERO).await?,
        Err(error) => {
            tracing::error!(error, list = key::MALFORMED, "jobs: what another client pushed is no job; put aside");
            done.lpush(key::MALFORMED, hint).ignore().ltrim(key::MALFORMED, 0, KEPT).ignore();
        }
    }
    redis.here.notify();
    redis.link.ask::<()>(done.lrem(mine, 1, hint).ignore()).await
}
