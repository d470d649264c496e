//! How a key changes its state: guarded by its epoch, which every change moves on, and told in the activity log.

use chrono::TimeDelta;
use loco_rs::Result;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;

use super::{Column, Entity, Model, State, rules::FIRST_STEP};
use crate::models::{
    activities::{self, Actor},
    alerts, clock, text,
};

/// The reason of a rest that the vendor asked for: the class of that failure.
pub(super) const ASKED_TO_REST: &str = "rate_limited";

/// A state and everything that goes with it.
pub(super) struct Change<'a> {
    pub state: State,
    pub reason: &'a str,
    pub cooldown_until: Option<DateTimeUtc>,
    pub strikes: i64,
    /// Calls at once until the key has shown that it works; `None` = as many as it may.
    pub ramp: Option<i64>,
    /// The incident that holds this key's strike.
    pub incident_id: Option<i64>,
}

impl<'a> Change<'a> {
    pub fn rest(reason: &'a str, until: DateTimeUtc, strikes: i64) -> Self {
        let ramp = Some(FIRST_STEP);
        Self { state: State::Cooldown, reason, cooldown_until: Some(until), strikes, ramp, incident_id: None }
    }

    pub fn back(reason: &'a str, strikes: i64) -> Self {
        let ramp = Some(FIRST_STEP);
        Self { state: State::Active, reason, cooldown_until: None, strikes, ramp, incident_id: None }
    }

    pub fn out(state: State, reason: &'a str, strikes: i64) -> Self {
        Self { state, reason, cooldown_until: None, strikes, ramp: None, incident_id: None }
    }
}

impl Model {
    /// Moves the key, or does nothing if somebody moved it in between: `false`.
    pub(super) async fn become_state(
        &self,
        txn: &DatabaseTransaction,
        actor: &Actor,
        change: &Change<'_>,
    ) -> Result<bool> {
        let moved = self.shift(txn, change).await?;
        if moved {
            self.tell(txn, actor, change).await?;
        }
        Ok(moved)
    }

    /// The move without its activity. Who moves several keys tells of all of them afterwards: the log is locked from its
    /// first row to the commit, and nobody may wait for a key behind that lock.
    pub(super) async fn shift(&self, txn: &DatabaseTransaction, change: &Change<'_>) -> Result<bool> {
        let moved = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(change.state)))
            .col_expr(Column::StateReason, Expr::value(change.reason))
            .col_expr(Column::CooldownUntil, Expr::value(change.cooldown_until))
            .col_expr(Column::ConsecutiveFailures, Expr::value(change.strikes))
            .col_expr(Column::Ramp, Expr::value(change.ramp))
            .col_expr(Column::IncidentId, Expr::value(change.incident_id))
            .col_expr(Column::Epoch, Expr::col(Column::Epoch).add(1))
            .col_expr(Column::UpdatedAt, Expr::value(clock::now(txn).await?))
            .filter(Column::Id.eq(self.id))
            .filter(Column::Epoch.eq(self.epoch))
            .exec(txn)
            .await?;
        Ok(moved.rows_affected == 1)
    }

    pub(super) async fn tell(&self, txn: &DatabaseTransaction, actor: &Actor, change: &Change<'_>) -> Result<()> {
        let (to, reason) = (text(change.state), change.reason);
        match change.state {
            State::OutOfFunds | State::ManualReview => {
                tracing::warn!(
                    key.id = self.id,
                    from = self.state,
                    to,
                    reason,
                    "provider key is out until an admin acts"
                );
            }
            State::Active | State::Cooldown | State::Disabled => {
                tracing::info!(key.id = self.id, from = self.state, to, reason, "provider key moved");
            }
        }
        let detail = json!({ "from": self.state, "to": to, "reason": reason });
        activities::record(txn, actor, "change_provider_key_state", ("provider_key", self.id), detail).await?;
        alerts::follow_key(txn, self, change.state, reason).await
    }

    /// When a rest that begins now ends: never earlier than what was decided before.
    pub(super) fn rest_until(&self, now: DateTimeUtc, rest: std::time::Duration) -> DateTimeUtc {
        let until = now + TimeDelta::from_std(rest).unwrap_or(TimeDelta::days(1));
        self.cooldown_until.map_or(until, |before| std::cmp::max(before, until))
    }
}
