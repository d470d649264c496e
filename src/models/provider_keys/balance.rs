//! What the account behind a key still has, in millionths of a US dollar: read from the vendor where it tells, otherwise
//! what an operator entered less what our own pictures cost. At or below the price of a picture the key is out of funds.

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;

use super::{Column, Entity, Model, State, check, transitions::Change};
use crate::{
    adapters::images::Balance,
    context::Nproxy,
    models::{
        _entities::attempts,
        activities::{self, Actor},
        alerts::{self, Trouble},
        begin, clock,
    },
};

/// The burn of a key is judged by so many of its latest calls.
const LATEST_CALLS: u64 = 500;

/// Admins hear of a balance that pays for fewer pictures than this.
const LOW_PICTURES: i64 = 100;

/// Where a balance comes from.
const VENDOR: &str = "vendor";
const OPERATOR: &str = "operator";

/// What a look at one key's account brought.
#[derive(Debug)]
pub struct Reading {
    pub key: Model,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub enum Outcome {
    /// What is left, and whether that takes the key out of service.
    Known { micros: i64, out: bool },
    /// The vendor tells no balance and nobody has entered one, or it says that there is no limit.
    Unknown,
    /// The vendor did not answer; the class of the failure. The last balance stays.
    NotRead(&'static str),
}

/// Scheduled, and after every answer that speaks of money: reads the balance of all keys, or of one, and takes out of
/// service what cannot pay for one more picture. Never brings a key back: that is an admin's decision.
///
/// # Errors
/// The database does not answer.
pub async fn refresh(ctx: &AppContext, only: Option<i64>) -> Result<Vec<Reading>> {
    let mut keys = Entity::find().filter(Column::State.ne(State::Disabled)).order_by_asc(Column::Id);
    if let Some(id) = only {
        keys = keys.filter(Column::Id.eq(id));
    }
    let mut readings = Vec::new();
    for key in keys.all(&ctx.db).await? {
        let outcome = match check::balance(ctx, &key).await {
            Ok(told) => key.keep_balance(ctx, told).await?,
            Err(failure) => Outcome::NotRead(failure.class()),
        };
        readings.push(Reading { key, outcome });
    }
    Ok(readings)
}

/// An operator says what is on the account. From here on our own pictures are taken off.
///
/// # Errors
/// The database does not answer, or there is no such key.
pub async fn enter(ctx: &AppContext, id: i64, micros: i64, actor: &Actor) -> Result<Model> {
    let txn = begin(&ctx.db).await?;
    let key = super::locked(&txn, id).await?.ok_or(Error::NotFound)?;
    key.write_balance(&txn, Some(micros), OPERATOR).await?;
    let detail = json!({ "from_micros": key.balance_micros, "to_micros": micros });
    activities::record(&txn, actor, "enter_provider_balance", ("provider_key", id), detail).await?;
    txn.commit().await?;
    super::by_id(&ctx.db, id).await?.ok_or(Error::NotFound)
}

/// A picture was paid for; what is left may not pay for the next.
pub(super) async fn spent(txn: &DatabaseTransaction, key_id: i64, price: i64) -> Result<()> {
    let Some(key) = super::by_id(txn, key_id).await? else { return Ok(()) };
    if key.is_in_service() && key.balance_micros.is_some_and(|left| left <= price) {
        let change = Change::out(State::OutOfFunds, "balance", key.consecutive_failures);
        key.become_state(txn, &Actor::System, &change).await?;
    }
    Ok(())
}

impl Model {
    /// How many days the balance lasts at the pace of the latest calls; `None` when either is unknown.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn days_left(&self, db: &impl ConnectionTrait) -> Result<Option<f64>> {
        let Some(balance) = self.balance_micros else { return Ok(None) };
        let calls: Vec<(Option<i64>, DateTimeUtc)> = attempts::Entity::find()
            .filter(attempts::Column::ProviderKeyId.eq(self.id))
            .order_by_desc(attempts::Column::Id)
            .limit(LATEST_CALLS)
            .select_only()
            .columns([attempts::Column::CostMicros, attempts::Column::CreatedAt])
            .into_tuple()
            .all(db)
            .await?;
        let Some((_, first)) = calls.last() else { return Ok(None) };
        let spent: i64 = calls.iter().filter_map(|(cost, _)| *cost).sum();
        // Of less than an hour nobody can tell a day's pace.
        let span = (clock::now(db).await? - *first).max(TimeDelta::hours(1));
        if spent == 0 {
            return Ok(None);
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate in days")]
        let days = balance.max(0) as f64 / spent as f64 * span.num_seconds() as f64 / 86_400.0;
        Ok(Some(days))
    }

    fn is_in_service(&self) -> bool {
        matches!(self.state(), State::Active | State::Cooldown)
    }

    async fn keep_balance(&self, ctx: &AppContext, told: Option<Balance>) -> Result<Outcome> {
        let txn = begin(&ctx.db).await?;
        let Some(key) = super::locked(&txn, self.id).await? else { return Ok(Outcome::Unknown) };
        let known = match told {
            Some(Balance { micros }) => {
                key.write_balance(&txn, micros, VENDOR).await?;
                micros
            }
            None => key.balance_micros,
        };
        let Some(micros) = known else {
            txn.commit().await?;
            return Ok(Outcome::Unknown);
        };
        let price = ctx.parts().catalogue().dearest_micros(&key.provider);
        let out = key.is_in_service() && micros <= price.unwrap_or(0);
        if out {
            let change = Change::out(State::OutOfFunds, "balance", key.consecutive_failures);
            key.become_state(&txn, &Actor::System, &change).await?;
        }
        let is_low = key.is_in_service() && !out && micros < price.unwrap_or(0).saturating_mul(LOW_PICTURES);
        alerts::when(&txn, is_low, &Trouble::BalanceLow { key: &key, micros }).await?;
        txn.commit().await?;
        Ok(Outcome::Known { micros, out })
    }

    async fn write_balance(&self, txn: &DatabaseTransaction, micros: Option<i64>, source: &str) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::BalanceMicros, Expr::value(micros))
            .col_expr(Column::BalanceSource, Expr::value(source))
            .col_expr(Column::BalanceCheckedAt, Expr::value(clock::now(txn).await?))
            .filter(Column::Id.eq(self.id))
            .exec(txn)
            .await?;
        Ok(())
    }
}

/// `$12.50`, or more decimals where there is more to say.
#[must_use]
pub fn dollars(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let part = format!("{part:06}");
    let cents = part[2..].trim_end_matches('0').len() + 2;
    format!("{sign}${whole}.{}", &part[..cents])
}

#[cfg(test)]
mod tests {
    use super::dollars;

    #[test]
    fn money_is_shown_to_the_cent_or_finer() {
        for (micros, shown) in [
            (12_500_000, "$12.50"),
            (0, "$0.00"),
            (33_600, "$0.0336"),
            (1, "$0.000001"),
            (-50_000, "-$0.05"),
            (1_000_000, "$1.00"),
        ] {
            assert_eq!(dollars(micros), shown);
        }
    }
}
