//! The sorted sets `schedule`, `retry` and `dead`, brought up to date from the table by one process at a time; and the
//! lists of processes that are silent.

use std::{collections::HashMap, time::Duration};

use redis::Pipeline;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, FromQueryResult, Order, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select,
};

use super::{
    Redis,
    adopt::{adopt, put_aside},
    key,
    wire::{self, Hint},
};
use crate::{
    clock,
    entity::job::{Column, Entity, Model, State},
    tx,
};

/// So many rows of each kind are shown: the soonest, and the last that died.
const SHOWN: u64 = 1_000;
/// So many entries of a set are looked at. Ours are fewer; the rest are other clients'.
const LOOKED_AT: isize = 5_000;
/// Moments of an entry and of its row that differ by less are the same: a score is a floating-point number.
const SAME: f64 = 0.001;

/// Puts back what a process had fetched, unless it lives: KEYS its list, its heartbeat, the fetchers, the parking list;
/// ARGV its identity. One step, so that nothing is lost on the way. Whose `queue` cannot be read is parked.
const PUT_BACK: &str = r"
    if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
    local moved = 0
    while true do
      local hint = redis.call('LINDEX', KEYS[1], -1)
      if not hint then break end
      local read, job = pcall(cjson.decode, hint)
      if read and type(job) == 'table' and type(job['queue']) == 'string' then
        redis.call('SADD', 'queues', job['queue'])
        redis.call('RPUSH', 'queue:' .. job['queue'], hint)
      else
        redis.call('LPUSH', KEYS[4], hint)
      end
      redis.call('RPOP', KEYS[1])
      moved = moved + 1
    end
    redis.call('SREM', KEYS[3], ARGV[1])
    return moved";

/// A look at everything, if nobody has looked for a while.
pub(super) async fn pass(redis: &Redis, db: &DatabaseConnection) -> Result<Duration, DbErr> {
    let every = redis.settings.show_every;
    let turn = redis::Cmd::set_options(
        key::SHOWING,
        &redis.identity,
        redis::SetOptions::default()
            .conditional_set(redis::ExistenceCheck::NX)
            .with_expiration(redis::SetExpiry::PX(u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1))),
    );
    let (mine,): (Option<String>,) = redis.link.ask(redis::pipe().add_command(turn)).await?;
    if mine.is_some() {
        put_back_of_the_silent(redis).await?;
        let now = clock::now(db).await?;
        let queued = || Entity::find().filter(Column::State.eq(State::Queued)).filter(Column::RunAt.gt(now));
        let soonest = |select: Select<Entity>| select.order_by(Column::RunAt, Order::Asc);
        let scheduled = soonest(queued().filter(Column::LastError.is_null()));
        let retried = soonest(queued().filter(Column::LastError.is_not_null()));
        let dead = Entity::find().filter(Column::State.eq(State::Dead)).order_by(Column::FinishedAt, Order::Desc);
        for (set, rows) in [("schedule", scheduled), ("retry", retried), ("dead", dead)] {
            bring_up_to_date(redis, db, set, rows).await?;
        }
    }
    Ok(every)
}

/// As [`PUT_BACK`], for the process of this identity.
pub(super) fn put_back(pipe: &mut Pipeline, identity: &str) {
    pipe.cmd("EVAL").arg(PUT_BACK).arg(4);
    pipe.arg(key::fetched(identity)).arg(identity).arg(key::FETCHERS).arg(key::MALFORMED).arg(identity);
}

async fn put_back_of_the_silent(redis: &Redis) -> Result<(), DbErr> {
    let (fetchers,): (Vec<String>,) = redis.link.ask(redis::pipe().smembers(key::FETCHERS)).await?;
    // Ourselves we know to live, also before the first heartbeat.
    let others: Vec<&String> = fetchers.iter().filter(|it| **it != redis.identity).collect();
    if others.is_empty() {
        return Ok(());
    }
    let mut all = redis::pipe();
    for identity in &others {
        put_back(&mut all, identity);
    }
    let moved: Vec<i64> = redis.link.ask(&all).await?;
    for (identity, hints) in others.iter().zip(moved).filter(|(_, moved)| *moved > 0) {
        tracing::info!(identity, hints, "jobs: a process is silent; what it had fetched is back in its queue");
    }
    Ok(())
}

/// Adopts what is not ours, adds what is missing, takes off what is no longer so.
async fn bring_up_to_date(
    redis: &Redis,
    db: &DatabaseConnection,
    set: &'static str,
    rows: Select<Entity>,
) -> Result<(), DbErr> {
    let mut look = redis::pipe();
    look.cmd("ZRANGE").arg(set).arg(0).arg(LOOKED_AT - 1).arg("WITHSCORES");
    let (there,): (Vec<(Vec<u8>, f64)>,) = redis.link.ask(&look).await?;
    let now = clock::now(db).await?;
    let mut change = redis::pipe();
    change.atomic();
    let mut ours = HashMap::new();
    for (entry, at) in there {
        match wire::read(&entry) {
            Ok(Hint::Ours { row, as_of }) => ours.entry((row, as_of)).or_insert_with(Vec::new).push((entry, at)),
            // What is dead to another client is its own affair.
            Ok(Hint::Foreign(_)) | Err(_) if set == "dead" => {}
            Ok(Hint::Foreign(job)) => {
                let wait = Duration::try_from_secs_f64(at - wire::seconds(now)).unwrap_or_default();
                match adopt(db, job, wait).await {
                    Ok(()) => {}
                    Err(error) if tx::is_refused(&error, db.get_database_backend()) => {
                        put_aside(&mut change, &entry, &error.to_string());
                    }
                    Err(error) => return Err(error),
                }
                change.zrem(set, entry).ignore();
            }
            Err(error) => {
                put_aside(&mut change, &entry, &error);
                change.zrem(set, entry).ignore();
            }
        }
    }
    let wanted = rows.limit(SHOWN).build(db.get_database_backend());
    let wanted = db.query_all_raw(wanted).await?;
    for row in wanted.iter().filter_map(|row| Model::from_query_result(row, "").ok()) {
        let as_shown = ours.get_mut(&(row.id, Some(row.attempts)));
        let same = |(_, at): &(Vec<u8>, f64)| (at - wire::score(&row)).abs() < SAME;
        match as_shown.and_then(|all| all.iter().position(same).map(|place| all.swap_remove(place))) {
            Some(_) => {}
            None => drop(change.zadd(set, wire::shown(&row, now)?, wire::score(&row)).ignore()),
        }
    }
    for (entry, _) in ours.into_values().flatten() {
        change.zrem(set, entry).ignore();
    }
    if change.is_empty() {
        return Ok(());
    }
    redis.link.ask::<()>(&change).await
}
