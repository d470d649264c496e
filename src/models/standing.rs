//! How the business stands, for those who run it. Every figure is of a window of time or of a small table, and its query
//! goes by an index: the page costs the same after years.

mod figures;

use std::time::Duration;

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
    prelude::DateTimeUtc,
    sea_query::{Alias, Expr, Query, SimpleExpr},
};
use tokio::time::timeout;

use super::{
    _entities::{allowances, attempts, invoices, proxies, runs, storage_objects},
    allowances::Kind,
    attempts::OPEN,
    backups, clock,
    invoices::State as Invoiced,
    provider_keys,
    room::{self, Room},
    storage_objects::{State as Stored, size},
};
use crate::adapters::images::Output;

pub use figures::{KeyFigures, QueueFigures, keys, queue};

/// Days of the curves.
pub const DAYS: i64 = 30;

/// Calls that say how long a picture takes.
const LATEST_CALLS: u64 = 1000;

/// A plan that ends within so long is ending soon.
const SOON: TimeDelta = TimeDelta::days(3);

/// Accounts that are shown with their days, the emptiest first.
const BALANCES: usize = 12;

/// A disk that takes longer is left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// Everything the dashboard shows.
#[derive(Debug)]
pub struct Standing {
    pub now: DateTimeUtc,
    pub revenue: Vec<Revenue>,
    pub plans: Plans,
    pub outcomes: Vec<Outcome>,
    pub latency: Option<Latency>,
    pub calls: Vec<Calls>,
    pub keys: KeyFigures,
    pub balances: Vec<Purse>,
    pub resting_proxies: u64,
    pub queue: QueueFigures,
    pub uploads_waiting: u64,
    /// `None` while no backups are taken.
    pub backups: Option<backups::Standing>,
    /// `None` before anybody counted.
    pub stored: Option<size::Model>,
    /// The fullest disk of this process; `None` when none answers in time.
    pub room: Option<Room>,
}

/// What was paid on one day in one currency, in its smallest unit.
#[derive(Debug)]
pub struct Revenue {
    pub day: String,
    pub currency: String,
    pub minor: i64,
    pub invoices: i64,
}

#[derive(Debug)]
pub struct Plans {
    pub active: u64,
    pub ending_soon: u64,
}

/// How many runs that were asked for on one day are in this state.
#[derive(Debug)]
pub struct Outcome {
    pub day: String,
    pub state: String,
    pub runs: i64,
}

/// How long the latest pictures took, in milliseconds.
#[derive(Debug, PartialEq, Eq)]
pub struct Latency {
    pub p50: i64,
    pub p95: i64,
    pub pictures: usize,
}

/// How many calls of the last day ended in this class.
#[derive(Debug)]
pub struct Calls {
    pub class: String,
    pub calls: i64,
}

/// What is left on the account behind a key, and for how long.
#[derive(Debug)]
pub struct Purse {
    pub key: provider_keys::Model,
    pub days_left: Option<f64>,
}

/// # Errors
/// The database does not answer.
pub async fn look(ctx: &AppContext) -> Result<Standing> {
    let db = &ctx.db;
    let now = clock::now(db).await?;
    Ok(Standing {
        revenue: revenue(db, now - TimeDelta::days(DAYS)).await?,
        plans: plans(db, now).await?,
        outcomes: outcomes(db, now - TimeDelta::days(DAYS)).await?,
        latency: latency(db, now - TimeDelta::days(1)).await?,
        calls: calls(db, now - TimeDelta::days(1)).await?,
        keys: keys(db).await?,
        balances: balances(db).await?,
        resting_proxies: proxies::Entity::find().filter(proxies::Column::RestUntil.gt(now)).count(db).await?,
        queue: queue(db).await?,
        uploads_waiting: uploads_waiting(db, now - TimeDelta::hours(1)).await?,
        backups: backups::standing(ctx, db).await?,
        stored: size::last(db).await?,
        room: timeout(PATIENCE, room::least(ctx)).await.unwrap_or(None),
        now,
    })
}

async fn revenue(db: &impl ConnectionTrait, since: DateTimeUtc) -> Result<Vec<Revenue>> {
    let rows: Vec<(String, String, i64, i64)> = invoices::Entity::find()
        .select_only()
        .expr_as(day(db, "paid_at"), "day")
        .column(invoices::Column::Currency)
        .expr_as(total("price_minor"), "total")
        .expr_as(Expr::cust("COUNT(*)"), "many")
        .filter(invoices::Column::PaidAt.gte(since))
        .filter(invoices::Column::State.eq(Invoiced::Paid))
        .group_by(day(db, "paid_at"))
        .group_by(invoices::Column::Currency)
        .into_tuple()
        .all(db)
        .await?;
    let read = |(day, currency, minor, invoices)| Revenue { day, currency, minor, invoices };
    Ok(rows.into_iter().map(read).collect())
}

async fn plans(db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<Plans> {
    let running = || {
        allowances::Entity::find()
            .filter(allowances::Column::Kind.eq(Kind::Quota))
            .filter(allowances::Column::ExpiresAt.gt(now))
            .filter(allowances::Column::StartsAt.lte(now))
            .filter(allowances::Column::RevokedAt.is_null())
    };
    // Whoever has paid for the next month already is not ending.
    let next = Alias::new("next");
    let of = |column: allowances::Column| Expr::col((next.clone(), column));
    let goes_on = Query::select()
        .expr(Expr::val(1))
        .from_as(allowances::Entity, next.clone())
        .and_where(of(allowances::Column::UserId).equals((allowances::Entity, allowances::Column::UserId)))
        .and_where(of(allowances::Column::Kind).eq(Kind::Quota))
        .and_where(of(allowances::Column::RevokedAt).is_null())
        .and_where(of(allowances::Column::StartsAt).gt(now))
        .take();
    Ok(Plans {
        active: running().count(db).await?,
        ending_soon: running()
            .filter(allowances::Column::ExpiresAt.lte(now + SOON))
            .filter(Expr::exists(goes_on).not())
            .count(db)
            .await?,
    })
}

async fn outcomes(db: &impl ConnectionTrait, since: DateTimeUtc) -> Result<Vec<Outcome>> {
    let rows: Vec<(String, String, i64)> = runs::Entity::find()
        .select_only()
        .expr_as(day(db, "created_at"), "day")
        .column(runs::Column::State)
        .expr_as(Expr::cust("COUNT(*)"), "many")
        .filter(runs::Column::CreatedAt.gte(since))
        .group_by(day(db, "created_at"))
        .group_by(runs::Column::State)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(day, state, runs)| Outcome { day, state, runs }).collect())
}

async fn latency(db: &impl ConnectionTrait, since: DateTimeUtc) -> Result<Option<Latency>> {
    let latest: Vec<Option<i64>> = attempts::Entity::find()
        .select_only()
        .column(attempts::Column::LatencyMs)
        .filter(attempts::Column::CreatedAt.gte(since))
        .filter(attempts::Column::Outcome.eq(Output::CLASS))
        .order_by_desc(attempts::Column::CreatedAt)
        .limit(LATEST_CALLS)
        .into_tuple()
        .all(db)
        .await?;
    let mut took: Vec<i64> = latest.into_iter().flatten().collect();
    took.sort_unstable();
    Ok(quantiles(&took))
}

/// Of a sorted list: the smallest value that so many in a hundred do not exceed.
fn quantiles(sorted: &[i64]) -> Option<Latency> {
    let at = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    Some(Latency { p50: at(50)?, p95: at(95)?, pictures: sorted.len() })
}

async fn calls(db: &impl ConnectionTrait, since: DateTimeUtc) -> Result<Vec<Calls>> {
    let rows: Vec<(String, i64)> = attempts::Entity::find()
        .select_only()
        .column(attempts::Column::Outcome)
        .expr_as(Expr::cust("COUNT(*)"), "many")
        .filter(attempts::Column::CreatedAt.gte(since))
        .filter(attempts::Column::Outcome.ne(OPEN))
        .group_by(attempts::Column::Outcome)
        .into_tuple()
        .all(db)
        .await?;
    let mut calls: Vec<_> = rows.into_iter().map(|(class, calls)| Calls { class, calls }).collect();
    calls.sort_by_key(|class| std::cmp::Reverse(class.calls));
    Ok(calls)
}

/// The accounts whose content is known, the emptiest first.
async fn balances(db: &impl ConnectionTrait) -> Result<Vec<Purse>> {
    let mut purses = Vec::new();
    for key in provider_keys::emptiest(db, BALANCES).await? {
        let days_left = key.days_left(db).await?;
        purses.push(Purse { key, days_left });
    }
    Ok(purses)
}

/// Keys of the store whose bytes have been on their way for too long: somebody died, and the sweep has not come.
async fn uploads_waiting(db: &impl ConnectionTrait, before: DateTimeUtc) -> Result<u64> {
    Ok(storage_objects::Entity::find()
        .filter(storage_objects::Column::State.eq(Stored::Pending))
        .filter(storage_objects::Column::ChangedAt.lt(before))
        .count(db)
        .await?)
}

/// The day of a moment in UTC, as `2026-11-29`.
fn day(db: &impl ConnectionTrait, column: &str) -> SimpleExpr {
    match db.get_database_backend() {
        DbBackend::Postgres => Expr::cust(format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD')")),
        _ => Expr::cust(format!("substr({column}, 1, 10)")),
    }
}

/// One type of sum on both databases.
fn total(column: &str) -> SimpleExpr {
    Expr::cust(format!("CAST(SUM({column}) AS BIGINT)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_there() {
        assert_eq!(quantiles(&[]), None);
        assert_eq!(quantiles(&[7]), Some(Latency { p50: 7, p95: 7, pictures: 1 }));
        let hundred: Vec<i64> = (1..=100).collect();
        assert_eq!(quantiles(&hundred), Some(Latency { p50: 50, p95: 95, pictures: 100 }));
        assert_eq!(quantiles(&[1, 2, 3]), Some(Latency { p50: 2, p95: 3, pictures: 3 }));
    }
}
