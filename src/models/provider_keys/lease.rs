//! The next key in turn. Nothing in memory decides: the row that waited longest and may work is taken in one
//! transaction, so the round robin is shared by all processes and survives restarts.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, Statement,
    prelude::DateTimeUtc,
    sea_query::{Expr, Query},
};

use super::{Column, Entity, Model, State, health, incidents};
use crate::models::{
    _entities::{attempts as calls, key_exclusions, key_leases},
    attempts::{self, Via},
    begin, clock,
    outputs::Place,
    proxies,
};

/// A lease not renewed for this long is free again: its process is gone.
pub const LEASE: TimeDelta = TimeDelta::seconds(45);

/// Whoever was not heard of for longer may have stood still, and somebody else may have gone on in his place.
pub const STOOD_STILL: Duration = Duration::from_secs(2);

/// One page of what a sweep takes back.
const AT_ONCE: u64 = 500;

/// What a key is wanted for: one place of one run, and the vendor's model that fills it.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub provider: &'a str,
    pub wire_model: &'a str,
    pub run_id: i64,
    pub position: i64,
    /// Whoever asks has asked in vain before, and may have to again: then it costs no lock.
    pub has_waited: bool,
    /// When nobody but whoever asks had worked on this run, so that it had no lease, and no call without an end. The call that
    /// follows is announced along with the lease.
    pub alone: Option<Instant>,
}

impl Wish<'_> {
    const fn place(&self) -> Place {
        Place { run_id: self.run_id, position: self.position }
    }
}

/// What the pool answers to the wish for a key.
#[derive(Debug)]
pub enum Lease {
    Granted(Box<Leased>),
    /// Keys that were not tried yet are busy, rest until then, or wait for the next probe.
    Wait {
        until: Option<DateTimeUtc>,
    },
    /// Every key that may work was tried for this output, or there is none.
    Exhausted,
}

/// One key, in use by one output of one run.
#[derive(Debug, Clone)]
pub struct Leased {
    pub id: i64,
    pub key: Model,
    /// The way out that is tried first; one that is disabled or rests is left out.
    pub proxy: Option<proxies::Model>,
    pub wire_model: String,
    pub run_id: i64,
    pub position: i64,
    /// The incident of the provider that this call probes.
    pub incident_id: Option<i64>,
    /// A probe has failed before: ask for a sign of life first, which costs nothing.
    pub knock_first: bool,
    /// The row of the first call, where it was written along with the lease.
    pub announced: Option<attempts::Model>,
}

/// Takes the next key for one output: eligible by the clock, under its cap, not tried for this output yet, the longest
/// unused first. While the whole provider is unwell, one wish a second is granted, as a probe.
///
/// # Errors
/// The database does not answer.
pub async fn lease(ctx: &AppContext, wish: Wish<'_>) -> Result<Lease> {
    let now = clock::now(&ctx.db).await?;
    if wish.has_waited && next(wish, now).one(&ctx.db).await?.is_none() {
        // Whoever has the last key that could serve this output may still bring it: nobody gives it up meanwhile.
        let held = held(&ctx.db, wish).await?.filter(|held| held.expires_at > now);
        return match held {
            Some(held) => Ok(Lease::Wait { until: Some(held.expires_at) }),
            None => why_none(&ctx.db, wish, now).await,
        };
    }
    if wish.has_waited
        && let Some(until) = incidents::open(&ctx.db, wish.provider).await?.and_then(|incident| incident.rests(now))
    {
        return Ok(Lease::Wait { until: Some(until) });
    }
    let txn = begin(&ctx.db).await?;
    let incident = incidents::open(&txn, wish.provider).await?;
    if let Some(until) = incident.as_ref().and_then(|incident| incident.rests(now)) {
        return Ok(Lease::Wait { until: Some(until) });
    }
    if let Some(incident) = &incident
        && !incident.permit(&txn, now).await?
    {
        return Ok(Lease::Wait { until: None });
    }
    if wish.alone.is_none() {
        match held(&txn, wish).await? {
            // Another process works on this very output, or died over it.
            Some(held) if held.expires_at > now => return Ok(Lease::Wait { until: Some(held.expires_at) }),
            Some(held) => {
                key_leases::Entity::delete_by_id(held.id).exec(&txn).await?;
            }
            // Or it has just given the lease back, and a picture in its place.
            None if !wish.place().is_waiting(&txn).await? => {
                return Ok(Lease::Wait { until: None });
            }
            None => {}
        }
    }
    wait_in_line(&txn, wish.provider).await?;
    // Leases are counted behind the line, and the row is judged as it is behind its lock.
    let mut query = next(wish, now);
    if txn.get_database_backend() == DbBackend::Postgres {
        query = query.lock_exclusive();
    }
    let Some(key) = query.one(&txn).await? else { return why_none(&txn, wish, now).await };
    if wish.alone.is_none() {
        // Together with the lease: whoever held the place before has lost the call with it, and cannot say any more how it
        // ended.
        attempts::close_abandoned(&txn, wish.run_id, Some(wish.position)).await?;
    }
    let mut leased = take(&txn, key, wish, now).await?;
    leased.incident_id = incident.as_ref().map(|incident| incident.id);
    leased.knock_first = incident.is_some_and(|incident| incident.failed_probes > 0);
    if wish.alone.is_some() && !leased.knock_first {
        leased.announced = Some(attempts::open(&txn, &leased, leased.ways()[0]).await?);
    }
    if wish.alone.is_some_and(|at| at.elapsed() >= STOOD_STILL) {
        // Nothing of it holds: whoever asks looks again first.
        return Ok(Lease::Wait { until: None });
    }
    txn.commit().await?;
    Ok(Lease::Granted(Box::new(leased)))
}

/// Keeps a lease alive while its call goes on; `false` = it is lost, stop and throw the work away. One that has run out is
/// lost even if nobody has taken the place: its share of the key may be somebody else's by now.
///
/// # Errors
/// The database does not answer.
pub async fn renew(db: &impl ConnectionTrait, leased: &Leased) -> Result<bool> {
    let now = clock::now(db).await?;
    let renewed = key_leases::Entity::update_many()
        .col_expr(key_leases::Column::ExpiresAt, Expr::value(now + LEASE))
        .filter(key_leases::Column::Id.eq(leased.id))
        .filter(key_leases::Column::ExpiresAt.gt(now))
        .exec(db)
        .await?;
    Ok(renewed.rows_affected == 1)
}

/// Scheduled: takes back the keys of processes that are gone, and closes their calls as perhaps billed. Whoever goes on with
/// such an output does the same for itself; this is for outputs that nobody goes on with. Returns how many.
pub(crate) async fn take_back_expired(ctx: &AppContext) -> Result<usize> {
    let now = clock::now(&ctx.db).await?;
    let expired = key_leases::Entity::find()
        .filter(key_leases::Column::ExpiresAt.lte(now))
        .order_by_asc(key_leases::Column::ExpiresAt)
        .limit(AT_ONCE)
        .all(&ctx.db)
        .await?;
    let mut taken = 0;
    for lease in expired {
        let txn = begin(&ctx.db).await?;
        let gone = key_leases::Entity::delete_many()
            .filter(key_leases::Column::Id.eq(lease.id))
            .filter(key_leases::Column::ExpiresAt.lte(now))
            .exec(&txn)
            .await?;
        if gone.rows_affected == 1 {
            attempts::close_abandoned(&txn, lease.run_id, Some(lease.position)).await?;
            txn.commit().await?;
            taken += 1;
        }
    }
    Ok(taken)
}

/// A run that is over holds no key, also if the process that worked on it is gone.
pub(crate) async fn release_all(txn: &DatabaseTransaction, run_id: i64) -> Result<()> {
    key_leases::Entity::delete_many().filter(key_leases::Column::RunId.eq(run_id)).exec(txn).await?;
    Ok(())
}

impl Leased {
    /// Through its proxy, if it has one; directly only after that.
    #[must_use]
    pub fn ways(&self) -> &'static [Via] {
        if self.proxy.is_some() { &[Via::Proxy, Via::Direct] } else { &[Via::Direct] }
    }

    /// Gives the key back; `false` = the lease was lost, and with it the right to record anything.
    pub(crate) async fn release(&self, txn: &DatabaseTransaction) -> Result<bool> {
        Ok(key_leases::Entity::delete_by_id(self.id).exec(txn).await?.rows_affected == 1)
    }
}

/// The keys that may work for this output now, the longest unused first; only the first is wanted.
fn next(wish: Wish<'_>, now: DateTimeUtc) -> Select<Entity> {
    let calls = Query::select()
        .expr(Expr::col(key_leases::Column::Id).count())
        .from(key_leases::Entity)
        .and_where(Expr::col((key_leases::Entity, key_leases::Column::ProviderKeyId)).equals((Entity, Column::Id)))
        .and_where(key_leases::Column::ExpiresAt.gt(now))
        .take();
    let cap = Expr::cust(
        "CASE WHEN provider_keys.state = 'cooldown' THEN 1 \
         WHEN provider_keys.ramp < provider_keys.max_concurrency THEN provider_keys.ramp \
         ELSE provider_keys.max_concurrency END",
    );
    let under_cap = Expr::SubQuery(None, Box::new(calls.into())).lt(cap);
    untried(wish, now)
        .filter(eligible(now))
        .filter(under_cap)
        .order_by_asc(Column::Turn)
        .order_by_asc(Column::Id)
        .limit(1)
}

async fn held(db: &impl ConnectionTrait, wish: Wish<'_>) -> Result<Option<key_leases::Model>> {
    let of_output = key_leases::Entity::find()
        .filter(key_leases::Column::RunId.eq(wish.run_id))
        .filter(key_leases::Column::Position.eq(wish.position));
    Ok(of_output.one(db).await?)
}

/// Of one provider, one wish at a time: `PostgreSQL` sorts by the turns that it saw before it waits for a row, so of two
/// wishes at once the second would have the key that the first has just used. `SQLite` has one writer anyway.
async fn wait_in_line(txn: &DatabaseTransaction, provider: &str) -> Result<()> {
    if txn.get_database_backend() == DbBackend::Postgres {
        let line = "SELECT pg_advisory_xact_lock(hashtext('key pool'), hashtext($1))";
        txn.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, line, [provider.into()])).await?;
    }
    Ok(())
}

async fn take(txn: &DatabaseTransaction, key: Model, wish: Wish<'_>, now: DateTimeUtc) -> Result<Leased> {
    // To the end of the line: a key that comes back from a rest is next once, and has no backlog of turns.
    let last = Query::select()
        .expr(Expr::col(Column::Turn).max())
        .from(Entity)
        .and_where(Column::Provider.eq(&key.provider))
        .to_owned();
    Entity::update_many()
        .col_expr(Column::Turn, Expr::SubQuery(None, Box::new(last.into())).add(1))
        .col_expr(Column::LastUsedAt, Expr::value(now))
        .filter(Column::Id.eq(key.id))
        .exec(txn)
        .await?;
    let row = key_leases::ActiveModel {
        run_id: Set(wish.run_id),
        position: Set(wish.position),
        provider_key_id: Set(key.id),
        epoch: Set(key.epoch),
        expires_at: Set(now + LEASE),
        created_at: Set(now),
        ..Default::default()
    }
    .insert(txn)
    .await?;
    Ok(Leased {
        id: row.id,
        proxy: proxies::way_out(txn, &key, now).await?,
        key,
        wire_model: wish.wire_model.to_owned(),
        run_id: wish.run_id,
        position: wish.position,
        incident_id: None,
        knock_first: false,
        announced: None,
    })
}

/// Nobody free: is it worth waiting for somebody not tried yet?
async fn why_none(db: &impl ConnectionTrait, wish: Wish<'_>, now: DateTimeUtc) -> Result<Lease> {
    let busy = untried(wish, now).filter(eligible(now)).count(db).await?;
    if busy > 0 {
        return Ok(Lease::Wait { until: None });
    }
    let resting = untried(wish, now)
        .filter(Column::State.eq(State::Cooldown))
        .order_by_asc(Column::CooldownUntil)
        .one(db)
        .await?;
    Ok(match resting {
        Some(key) => Lease::Wait { until: key.cooldown_until },
        None => Lease::Exhausted,
    })
}

/// Keys of the provider that this output was not tried on, and that may use the model as far as we know.
fn untried(wish: Wish<'_>, now: DateTimeUtc) -> Select<Entity> {
    let tried = Query::select()
        .column(calls::Column::ProviderKeyId)
        .from(calls::Entity)
        .and_where(calls::Column::RunId.eq(wish.run_id))
        .and_where(calls::Column::Position.eq(wish.position))
        .to_owned();
    let excluded = Query::select()
        .column(key_exclusions::Column::ProviderKeyId)
        .from(key_exclusions::Entity)
        .and_where(key_exclusions::Column::WireModel.eq(wish.wire_model))
        .and_where(key_exclusions::Column::Until.gt(now))
        .to_owned();
    Entity::find()
        .filter(Column::Provider.eq(wish.provider))
        .filter(Column::Id.not_in_subquery(tried))
        .filter(Column::Id.not_in_subquery(excluded))
}

/// Judged by the clock, not by whether somebody has tidied the column already.
fn eligible(now: DateTimeUtc) -> Condition {
    Condition::any().add(Column::State.eq(State::Active)).add(health::rested(now))
}

/// How many keys may work now.
///
/// # Errors
/// The database does not answer.
pub(in crate::models) async fn eligible_now(db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<u64> {
    Ok(Entity::find().filter(eligible(now)).count(db).await?)
}
