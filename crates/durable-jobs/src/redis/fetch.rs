//! Hints on their way in, reliably: one that was taken off a queue lies in a list of this process until it is dealt with,
//! and that list goes back when the process is silent (`shown.rs`).

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr};
use tokio::time::timeout;

use super::{
    Redis, Room,
    adopt::{adopt, expedite, put_aside},
    key,
    wire::{self, Hint},
};
use crate::{
    provider::{Inner, lock},
    tx,
};

/// Hints of claimed jobs are taken off in portions of this.
const PORTION: i64 = 100;

/// Deals with what is there, or waits until there is something new, at most until the next look is due.
pub(super) async fn pass(redis: &Redis, inner: &Inner, queues: &[String]) -> Result<Duration, DbErr> {
    // First what an earlier pass left, because the database was away or the answer of Redis was lost.
    let left = deal_with_all(redis, &inner.db).await?;
    let taken = take(redis, inner, queues).await?;
    if taken {
        deal_with_all(redis, &inner.db).await?;
    }
    if !left && !taken {
        let _told_or_due = timeout(redis.settings.look_every, redis.told.notified()).await;
    }
    Ok(Duration::ZERO)
}

/// Of a queue whose jobs could begin here now a hint is taken; of another only those of the jobs that this process has
/// claimed, so that the length of a queue is about the number of jobs that wait there, and the rest are for who has room.
/// `false` when there was none.
async fn take(redis: &Redis, inner: &Inner, queues: &[String]) -> Result<bool, DbErr> {
    let room = *lock(&redis.room);
    let could_begin = |queue: &str| match room {
        Room::Nobody => false,
        Room::Quick => !inner.settings.is_long(queue),
        Room::Everybody => true,
    };
    let mut wanted: Vec<(String, i64)> = Vec::new();
    if room != Room::Nobody {
        let queues = if queues.is_empty() { known(redis).await? } else { queues.to_vec() };
        wanted.extend(queues.into_iter().filter(|queue| could_begin(queue)).map(|queue| (queue, 1)));
    }
    {
        let owed = lock(&redis.owed);
        let claimed = owed.iter().filter(|(queue, owed)| !could_begin(queue) && **owed > 0);
        wanted.extend(claimed.map(|(queue, owed)| (queue.clone(), *owed.min(&PORTION))));
    }
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
    let mut taken = redis.link.ask::<Vec<Option<Vec<u8>>>>(&take).await?.into_iter();
    let mut any = false;
    let mut owed = lock(&redis.owed);
    for (queue, number) in wanted {
        let hints = taken.by_ref().take(usize::try_from(number).unwrap_or_default()).flatten().count();
        let found = i64::try_from(hints).unwrap_or_default();
        let owed = owed.entry(queue).or_default();
        // An empty queue owes nothing, and nothing is owed to it.
        *owed = if found < number { 0 } else { *owed - found };
        any |= found > 0;
    }
    Ok(any)
}

async fn known(redis: &Redis) -> Result<Vec<String>, DbErr> {
    let (queues,): (Vec<Vec<u8>>,) = redis.link.ask(redis::pipe().smembers("queues")).await?;
    // A name that is no text is none of ours, and keeps nobody from the others.
    Ok(queues.into_iter().filter_map(|queue| String::from_utf8(queue).ok()).collect())
}

/// What lies in the list of this process, the oldest first; `false` when there is nothing.
async fn deal_with_all(redis: &Redis, db: &DatabaseConnection) -> Result<bool, DbErr> {
    let mine = key::fetched(&redis.identity);
    let (hints,): (Vec<Vec<u8>>,) = redis.link.ask(redis::pipe().lrange(&mine, 0, -1)).await?;
    for hint in hints.iter().rev() {
        deal_with(redis, db, &mine, hint).await?;
    }
    Ok(!hints.is_empty())
}

/// First the table, then the list: dying in between means dealing with it twice, which is nothing.
async fn deal_with(redis: &Redis, db: &DatabaseConnection, mine: &str, hint: &[u8]) -> Result<(), DbErr> {
    let mut done = redis::pipe();
    done.atomic();
    let dealt = match wire::read(hint) {
        Ok(Hint::Ours { as_of: None, .. }) => Ok(()),
        Ok(Hint::Ours { row, as_of: Some(as_of) }) => expedite(db, row, as_of).await,
        Ok(Hint::Foreign(job)) => adopt(db, job, Duration::ZERO).await,
        Err(error) => {
            put_aside(&mut done, hint, &error);
            Ok(())
        }
    };
    match dealt {
        Ok(()) => {}
        Err(error) if tx::is_refused(&error, db.get_database_backend()) => {
            put_aside(&mut done, hint, &error.to_string());
        }
        Err(error) => return Err(error),
    }
    redis.here.notify();
    redis.link.ask::<()>(done.lrem(mine, 1, hint).ignore()).await
}
