//! The next key in turn. Nothing in memory decides: the row that waited longest and may work is taken in one
//! transaction, so the round robin is shared by all processes and survives restarts.

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select,
    prelude::DateTimeUtc,
    sea_query::{Expr, LockBehavior, LockType, Query},
};

use super::{Column, Entity, Model, State};
use crate::models::{
    _entities::{attempts, key_leases},
    begin, clock, proxies,
};

/// A lease not renewed for this long is free again: its process is gone.
pub const LEASE: TimeDelta = TimeDelta::seconds(45);

/// What the pool answers to the wish for a key.
#[derive(Debug)]
pub enum Lease {
    Granted(Box<Leased>),
    /// Keys that were not tried yet are busy, or rest until then.
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
    /// The way out that is tried first; a disabled proxy is left out.
    pub proxy: Option<proxies::Model>,
    pub run_id: i64,
    pub position: i64,
}

/// Takes the next key for one output: eligible by the clock, under its cap, not tried for this output yet, the longest
/// unused first.
///
/// # Errors
/// The database does not answer.
pub async fn lease(ctx: &AppContext, provider: &str, run_id: i64, position: i64) -> Result<Lease> {
    // Places that wait ask again and again, so the first look takes no lock.
    let now = clock::now(&ctx.db).await?;
    if let Some(held) = held(&ctx.db, run_id, position).await?
        && held.expires_at > now
    {
        // Another process works on this very output, or died over it.
        return Ok(Lease::Wait { until: Some(held.expires_at) });
    }
    if next(provider, run_id, position, now).one(&ctx.db).await?.is_none() {
        return why_none(&ctx.db, provider, run_id, position, now).await;
    }
    let txn = begin(&ctx.db).await?;
    if let Some(held) = held(&txn, run_id, position).await? {
        if held.expires_at > now {
            return Ok(Lease::Wait { until: Some(held.expires_at) });
        }
        key_leases::Entity::delete_by_id(held.id).exec(&txn).await?;
    }
    loop {
        let mut query = next(provider, run_id, position, now);
        if txn.get_database_backend() == DbBackend::Postgres {
            query = query.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let Some(key) = query.one(&txn).await? else {
            return why_none(&txn, provider, run_id, position, now).await;
        };
        // Counted again behind the row lock: on PostgreSQL a neighbour may have leased between our look and our lock.
        if live_leases(&txn, key.id, now).await? >= key.cap() {
            if txn.get_database_backend() == DbBackend::Postgres {
                continue;
            }
            return Ok(Lease::Wait { until: None });
        }
        let leased = take(&txn, key, run_id, position, now).await?;
        txn.commit().await?;
        return Ok(Lease::Granted(Box::new(leased)));
    }
}

/// Keeps a lease alive while its call goes on; `false` = it is lost, stop and throw the work away.
///
/// # Errors
/// The database does not answer.
pub async fn renew(db: &impl ConnectionTrait, leased: &Leased) -> Result<bool> {
    let now = clock::now(db).await?;
    let renewed = key_leases::Entity::update_many()
        .col_expr(key_leases::Column::ExpiresAt, Expr::value(now + LEASE))
        .filter(key_leases::Column::Id.eq(leased.id))
        .exec(db)
        .await?;
    Ok(renewed.rows_affected == 1)
}

impl Leased {
    /// Gives the key back; `false` = the lease was lost, and with it the right to record anything.
    pub(crate) async fn release(&self, txn: &DatabaseTransaction) -> Result<bool> {
        Ok(key_leases::Entity::delete_by_id(self.id).exec(txn).await?.rows_affected == 1)
    }
}

impl Model {
    /// A key back from its rest proves itself with one call before it gets company.
    fn cap(&self) -> u64 {
        match self.state() {
            State::Cooldown => 1,
            State::Active | State::OutOfFunds | State::ManualReview | State::Disabled => {
                u64::try_from(self.max_concurrency).unwrap_or(1)
            }
        }
    }
}

/// The keys that may work for this output now, the longest unused first; only the first is wanted.
fn next(provider: &str, run_id: i64, position: i64, now: DateTimeUtc) -> Select<Entity> {
    let under_cap = Expr::cust_with_values(
        "(SELECT COUNT(*) FROM key_leases l WHERE l.provider_key_id = provider_keys.id AND l.expires_at > $1) \
         < CASE WHEN provider_keys.state = 'cooldown' THEN 1 ELSE provider_keys.max_concurrency END",
        [now],
    );
    untried(provider, run_id, position)
        .filter(eligible(now))
        .filter(under_cap)
        .order_by_asc(Column::Turn)
        .order_by_asc(Column::Id)
        .limit(1)
}

async fn held(db: &impl ConnectionTrait, run_id: i64, position: i64) -> Result<Option<key_leases::Model>> {
    Ok(key_leases::Entity::find().filter(of_output(run_id, position)).one(db).await?)
}

async fn take(txn: &DatabaseTransaction, key: Model, run_id: i64, position: i64, now: DateTimeUtc) -> Result<Leased> {
    // To the end of the line: a key that comes back from a rest is next once, and has no backlog of turns.
    let last = Entity::find()
        .filter(Column::Provider.eq(&key.provider))
        .order_by_desc(Column::Turn)
        .one(txn)
        .await?
        .map_or(0, |k| k.turn);
    Entity::update_many()
        .col_expr(Column::Turn, Expr::value(last + 1))
        .col_expr(Column::LastUsedAt, Expr::value(now))
        .filter(Column::Id.eq(key.id))
        .exec(txn)
        .await?;
    let row = key_leases::ActiveModel {
        run_id: Set(run_id),
        position: Set(position),
        provider_key_id: Set(key.id),
        epoch: Set(key.epoch),
        expires_at: Set(now + LEASE),
        created_at: Set(now),
        ..Default::default()
    }
    .insert(txn)
    .await?;
    let proxy = match key.proxy_id {
        Some(id) => proxies::by_id(txn, id).await?.filter(proxies::Model::is_active),
        None => None,
    };
    Ok(Leased { id: row.id, key, proxy, run_id, position })
}

/// Nobody free: is it worth waiting for somebody not tried yet?
async fn why_none(
    db: &impl ConnectionTrait,
    provider: &str,
    run_id: i64,
    position: i64,
    now: DateTimeUtc,
) -> Result<Lease> {
    let busy = untried(provider, run_id, position).filter(eligible(now)).count(db).await?;
    if busy > 0 {
        return Ok(Lease::Wait { until: None });
    }
    let resting = untried(provider, run_id, position)
        .filter(Column::State.eq(State::Cooldown))
        .order_by_asc(Column::CooldownUntil)
        .one(db)
        .await?;
    Ok(match resting {
        Some(key) => Lease::Wait { until: key.cooldown_until },
        None => Lease::Exhausted,
    })
}

fn untried(provider: &str, run_id: i64, position: i64) -> Select<Entity> {
    let tried = Query::select()
        .column(attempts::Column::ProviderKeyId)
        .from(attempts::Entity)
        .and_where(attempts::Column::RunId.eq(run_id))
        .and_where(attempts::Column::Position.eq(position))
        .to_owned();
    Entity::find().filter(Column::Provider.eq(provider)).filter(Column::Id.not_in_subquery(tried))
}

/// Judged by the clock, not by whether somebody has tidied the column already.
fn eligible(now: DateTimeUtc) -> Condition {
    Condition::any()
        .add(Column::State.eq(State::Active))
        .add(Column::State.eq(State::Cooldown).and(Column::CooldownUntil.lte(now)))
}

async fn live_leases(db: &impl ConnectionTrait, key_id: i64, now: DateTimeUtc) -> Result<u64> {
    Ok(key_leases::Entity::find()
        .filter(key_leases::Column::ProviderKeyId.eq(key_id))
        .filter(key_leases::Column::ExpiresAt.gt(now))
        .count(db)
        .await?)
}

fn of_output(run_id: i64, position: i64) -> Condition {
    Condition::all().add(key_leases::Column::RunId.eq(run_id)).add(key_leases::Column::Position.eq(position))
}
