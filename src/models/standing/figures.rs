//! The figures that the dashboard, the health page and the metrics share.

use durable_jobs::entity::job;
use loco_rs::{Result, bgworker::BackgroundWorker};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    prelude::DateTimeUtc, sea_query::Expr,
};

use crate::{
    models::{
        _entities::{key_leases, provider_keys},
        clock,
        provider_keys::State,
    },
    workers::apply_payment::ApplyPayment,
};

/// The pool, counted.
#[derive(Debug, Default)]
pub struct KeyFigures {
    /// `(provider, state, keys)`
    pub states: Vec<(String, String, i64)>,
    /// Keys that may work now, by the clock.
    pub eligible: u64,
    /// Calls under way.
    pub leases: u64,
}

/// The jobs, counted.
#[derive(Debug, Default)]
pub struct QueueFigures {
    /// Due, and nobody has taken them yet.
    pub ready: u64,
    /// Since when the oldest of them is due.
    pub waits_since: Option<DateTimeUtc>,
    pub running: u64,
    /// Given up; an operator decides.
    pub dead: u64,
    /// When the oldest news about a payment came that nobody has looked at yet.
    pub payment_since: Option<DateTimeUtc>,
}

impl KeyFigures {
    /// How many keys are in this state, of all providers.
    #[must_use]
    pub fn in_state(&self, state: State) -> i64 {
        let name = super::super::text(state);
        self.states.iter().filter(|(_, state, _)| *state == name).map(|(_, _, keys)| keys).sum()
    }
}

/// # Errors
/// The database does not answer.
pub async fn keys(db: &impl ConnectionTrait) -> Result<KeyFigures> {
    let now = clock::now(db).await?;
    let states = provider_keys::Entity::find()
        .select_only()
        .column(provider_keys::Column::Provider)
        .column(provider_keys::Column::State)
        .expr_as(Expr::cust("COUNT(*)"), "many")
        .group_by(provider_keys::Column::Provider)
        .group_by(provider_keys::Column::State)
        .order_by_asc(provider_keys::Column::Provider)
        .order_by_asc(provider_keys::Column::State)
        .into_tuple()
        .all(db)
        .await?;
    Ok(KeyFigures {
        states,
        eligible: crate::models::provider_keys::eligible_now(db, now).await?,
        leases: key_leases::Entity::find().filter(key_leases::Column::ExpiresAt.gt(now)).count(db).await?,
    })
}

/// # Errors
/// The database does not answer.
pub async fn queue(db: &impl ConnectionTrait) -> Result<QueueFigures> {
    let now = clock::now(db).await?;
    let queued = || job::Entity::find().filter(job::Column::State.eq(job::State::Queued));
    let due = || queued().filter(job::Column::RunAt.lte(now));
    let of_state = |state| job::Entity::find().filter(job::Column::State.eq(state)).count(db);
    let payments = queued().filter(job::Column::Class.eq(ApplyPayment::class_name()));
    Ok(QueueFigures {
        ready: due().count(db).await?,
        waits_since: first(due(), job::Column::RunAt, db).await?,
        running: of_state(job::State::Running).await?,
        dead: of_state(job::State::Dead).await?,
        payment_since: first(payments, job::Column::CreatedAt, db).await?,
    })
}

/// The moment alone: a row that cannot be read otherwise hides no figure.
async fn first(
    jobs: Select<job::Entity>,
    moment: job::Column,
    db: &impl ConnectionTrait,
) -> Result<Option<DateTimeUtc>> {
    Ok(jobs.select_only().column(moment).order_by_asc(moment).into_tuple().one(db).await?)
}
