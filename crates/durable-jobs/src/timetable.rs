//! Recurring jobs: every process keeps the timetable, and each tick becomes a job once.
//!
//! A row of `job_ticks` holds the last tick of an entry. Whoever moves it forward enqueues the job, in one transaction.
//! The job is unique under `recurring:NAME`: while the former one is live there is no second. Ticks that passed while
//! nobody was there count as one. An entry seen for the first time waits for its next tick.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use serde_json::Value;

use crate::{
    clock,
    entity::{
        job::{self, State},
        tick::{ActiveModel, Column, Entity},
    },
    jobs::{Enqueued, NewJob, enqueue},
    provider::Inner,
    tx,
};

/// The longest sleep between two looks at the clock: it may be set, and a machine may be suspended.
const LONGEST_REST: Duration = Duration::from_secs(15);
/// The shortest: we may wake a little before the tick.
const SHORTEST_REST: Duration = Duration::from_millis(20);

/// An entry of the timetable.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurring {
    /// Its name: the identity of its ticks, across restarts and hosts.
    pub name: String,
    /// As in Loco's `scheduler:` section: cron with seconds and perhaps a year, in UTC, or English.
    pub schedule: String,
    /// The worker.
    pub class: String,
    /// Its arguments.
    pub args: Value,
}

/// When an entry ticks.
#[derive(Clone, Debug)]
pub struct Schedule(Cron);

/// A schedule that neither parser understands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule `{schedule}`: {reason}")]
pub struct InvalidSchedule {
    /// As written.
    pub schedule: String,
    /// As the parser put it.
    pub reason: String,
}

impl Recurring {
    /// Its schedule. Worth asking at boot: a running provider only logs an entry it cannot read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn parse(&self) -> Result<Schedule, InvalidSchedule> {
        Schedule::parse(&self.schedule)
    }
}

impl Schedule {
    /// Reads what Loco's scheduler would read, with the same parsers: what begins with a digit or `*` is cron.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn parse(schedule: &str) -> Result<Self, InvalidSchedule> {
        let invalid = |reason: String| InvalidSchedule { schedule: schedule.to_owned(), reason };
        let is_cron = schedule.starts_with(|c: char| c == '*' || c.is_ascii_digit());
        let cron = if is_cron {
            schedule.to_owned()
        } else {
            english_to_cron::str_cron_syntax(schedule).map_err(|error| invalid(error.to_string()))?
        };
        let parser = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build();
        parser.parse(&cron).map(Self).map_err(|error| invalid(error.to_string()))
    }

    /// The last tick at or before `now`.
    #[must_use]
    pub fn latest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.find_previous_occurrence(&now.trunc_subsecs(0), true).ok()
    }

    /// The first tick after `now`.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.find_next_occurrence(&now.trunc_subsecs(0), false).ok()
    }
}

/// The entries that can be read; the others are logged.
pub(crate) fn readable(entries: Vec<Recurring>) -> Vec<(Recurring, Schedule)> {
    let mut readable = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry.parse() {
            Ok(schedule) => readable.push((entry, schedule)),
            Err(error) => tracing::error!(entry = entry.name, %error, "timetable: entry left out"),
        }
    }
    readable
}

/// Turns every tick that is due into a job; answers how long until the next one.
pub(crate) async fn pass(inner: &Arc<Inner>, entries: &[(Recurring, Schedule)]) -> Result<Duration, DbErr> {
    let now = clock::now(&inner.db).await?;
    let rows = Entity::find().all(&inner.db).await?;
    let last: HashMap<String, DateTime<Utc>> = rows.into_iter().map(|row| (row.name, row.last_tick)).collect();
    let mut rest = LONGEST_REST;
    for (entry, schedule) in entries {
        match (last.get(&entry.name), schedule.latest(now)) {
            (None, _) => begin(&inner.db, entry, now).await?,
            (Some(last), Some(tick)) if *last < tick => {
                if let Some(job) = fire(&inner.db, entry, tick).await? {
                    inner.transport.notify(&inner.db, &job);
                }
            }
            (Some(_), _) => {}
        }
        if let Some(next) = schedule.next(now) {
            rest = rest.min((next - now).to_std().unwrap_or_default());
        }
    }
    Ok(rest.max(SHORTEST_REST))
}

/// From now on it ticks.
async fn begin(db: &impl ConnectionTrait, entry: &Recurring, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = ActiveModel { name: Set(entry.name.clone()), last_tick: Set(now) };
    let nothing = OnConflict::new().do_nothing().to_owned();
    Entity::insert(row).on_conflict(nothing).try_insert().exec_without_returning(db).await?;
    Ok(())
}

/// The job of this tick, if this process is the one to enqueue it.
async fn fire(db: &DatabaseConnection, entry: &Recurring, tick: DateTime<Utc>) -> Result<Option<Enqueued>, DbErr> {
    let job = tx::write(db, async |txn| {
        let moved = Entity::update_many()
            .col_expr(Column::LastTick, Expr::value(tick))
            .filter(Column::Name.eq(&entry.name))
            .filter(Column::LastTick.lt(tick))
            .exec(txn)
            .await?;
        if moved.rows_affected == 0 {
            return Ok::<_, DbErr>(None);
        }
        let new = NewJob::new(&entry.class, entry.args.clone()).unique(format!("recurring:{}", entry.name));
        let enqueued = enqueue(txn, new).await?;
        if enqueued.duplicate {
            hurry(txn, enqueued.id).await?;
        }
        Ok(Some(enqueued))
    })
    .await?;
    if let Some(job) = job.as_ref().filter(|job| job.duplicate) {
        tracing::info!(entry = entry.name, job.id, %tick, "timetable: the former job is still live, no second one");
    }
    Ok(job)
}

/// A former job that waits for another try does not sleep through the tick: what comes often is tried often.
async fn hurry(db: &impl ConnectionTrait, id: i64) -> Result<(), DbErr> {
    let now = clock::now(db).await?;
    job::Entity::update_many()
        .col_expr(job::Column::RunAt, Expr::value(now))
        .filter(job::Column::Id.eq(id))
        .filter(job::Column::State.eq(State::Queued))
        .filter(job::Column::RunAt.gt(now))
        .exec(db)
        .await?;
    Ok(())
}
