//! When a whole provider is unwell, no key is to blame. Several keys that fail alike within seconds, with no picture in
//! between, open an incident: their strikes are given back, one probe a second goes out, and runs wait for it inside their
//! time. The first picture closes it. If that picture is the very first probe, and of a key that had not failed, it was no
//! incident: the strikes stand after all.

use durable_jobs::tx::Transaction;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;

use super::{
    Leased, Model, State,
    rules::{self, FEWEST, PROBE_EVERY, STRIKES_UNTIL_REVIEW, WINDOW, strikes_out},
    transitions::{ASKED_TO_REST, Change},
};
use crate::{
    context::Nproxy,
    models::{
        _entities::{
            incidents::{ActiveModel, Column, Entity, Model as Incident},
            provider_keys::{self, Column as Key, Entity as Keys},
        },
        activities::{self, Actor},
        alerts::{self, Trouble},
        begin, clock, insert_new,
    },
};

/// What is noted of a strike.
pub(super) struct Strike<'a> {
    pub class: &'a str,
    pub at: DateTimeUtc,
    /// The incident that holds it back.
    pub incident_id: Option<i64>,
}

/// The open incident of a provider.
pub(super) async fn open(db: &impl ConnectionTrait, provider: &str) -> Result<Option<Incident>> {
    Ok(Entity::find().filter(Column::Provider.eq(provider)).filter(Column::ClosedAt.is_null()).one(db).await?)
}

impl Incident {
    /// Takes the permit for this second's probe; `false` when somebody has it, or it is over.
    pub(super) async fn permit(&self, txn: &DatabaseTransaction, now: DateTimeUtc) -> Result<bool> {
        let taken = Entity::update_many()
            .col_expr(Column::ProbedAt, Expr::value(now))
            .filter(Column::Id.eq(self.id))
            .filter(Column::ClosedAt.is_null())
            .filter(Column::ProbedAt.lte(now - PROBE_EVERY))
            .exec(txn)
            .await?;
        Ok(taken.rows_affected == 1)
    }

    /// Until when nothing is asked of the provider, if that is still to come.
    pub(super) fn rests(&self, now: DateTimeUtc) -> Option<DateTimeUtc> {
        Some(self.probed_at + PROBE_EVERY).filter(|until| *until > now)
    }
}

/// Holds a strike back while an incident is open; `false` when there is none.
pub(super) async fn withhold(txn: &DatabaseTransaction, leased: &Leased, class: &str) -> Result<bool> {
    let Some(incident) = open(txn, &leased.key.provider).await? else { return Ok(false) };
    if !probe_failed(txn, incident.id).await? {
        return Ok(false);
    }
    let at = clock::now(txn).await?;
    mark(txn, &leased.key, &Strike { class, at, incident_id: Some(incident.id) }).await?;
    Ok(true)
}

/// Counts a probe that found the provider still unwell; `false` when the incident is over.
pub(super) async fn probe_failed(txn: &DatabaseTransaction, incident_id: i64) -> Result<bool> {
    let counted = Entity::update_many()
        .col_expr(Column::FailedProbes, Expr::col(Column::FailedProbes).add(1))
        .filter(Column::Id.eq(incident_id))
        .filter(Column::ClosedAt.is_null())
        .exec(txn)
        .await?;
    Ok(counted.rows_affected == 1)
}

pub(super) async fn mark(txn: &DatabaseTransaction, key: &Model, strike: &Strike<'_>) -> Result<()> {
    Keys::update_many()
        .col_expr(Key::StruckAt, Expr::value(strike.at))
        .col_expr(Key::StruckClass, Expr::value(strike.class))
        .col_expr(Key::IncidentId, Expr::value(strike.incident_id))
        .filter(Key::Id.eq(key.id))
        .exec(txn)
        .await?;
    Ok(())
}

/// Nothing of this provider has worked for a moment, and it has other keys: before this key is sent to a person, we wait
/// whether they fail as well. [`judge`] decides when the moment has passed.
pub(super) async fn may_be_everybody(db: &impl ConnectionTrait, key: &Model, now: DateTimeUtc) -> Result<bool> {
    let worked = last_success(db, &key.provider).await?.is_some_and(|at| at > now - WINDOW);
    Ok(!worked && pool_size(db, &key.provider).await? >= FEWEST)
}

/// Looks at the strikes of the last seconds: opens an incident, or sends keys that have struck out to a person. To be
/// asked after a strike is committed; each asker sees all strikes that were committed before, so the last one decides.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn judge(ctx: &AppContext, provider: &str) -> Result<()> {
    // Nearly always there is nothing to judge, and nobody need wait for us.
    if Suspects::of(&ctx.db, provider).await?.is_nobody() {
        return Ok(());
    }
    let txn = begin(&ctx.db).await?;
    if open(&txn, provider).await?.is_some() {
        return Ok(());
    }
    let suspects = Suspects::of(&txn, provider).await?;
    if let Some(alike) = failing_alike(&suspects.recent, pool_size(&txn, provider).await?) {
        return begin_incident(txn, provider, &alike, suspects.now).await;
    }
    let struck_out: Vec<_> = suspects.struck_out().collect();
    for key in &struck_out {
        key.shift(&txn, &Change::out(State::ManualReview, key.struck_as(), key.consecutive_failures)).await?;
    }
    for key in &struck_out {
        let change = Change::out(State::ManualReview, key.struck_as(), key.consecutive_failures);
        key.tell(&txn, &Actor::System, &change).await?;
    }
    txn.commit().await?;
    Ok(())
}

/// Keys that rest for a strike.
struct Suspects {
    /// Struck within the last seconds, with no picture since.
    recent: Vec<Model>,
    /// Struck before that.
    earlier: Vec<Model>,
    now: DateTimeUtc,
}

impl Suspects {
    async fn of(db: &impl ConnectionTrait, provider: &str) -> Result<Self> {
        let now = clock::now(db).await?;
        let last_success = last_success(db, provider).await?;
        let all = Keys::find()
            .filter(Key::Provider.eq(provider))
            .filter(Key::State.eq(State::Cooldown))
            .filter(Key::StruckAt.is_not_null())
            .order_by_asc(Key::Id)
            .all(db)
            .await?;
        let since = last_success.map_or(now - WINDOW, |at| std::cmp::max(at, now - WINDOW));
        let (recent, earlier) = all.into_iter().partition(|key| key.struck_at.is_some_and(|at| at > since));
        Ok(Self { recent, earlier, now })
    }

    fn struck_out(&self) -> impl Iterator<Item = &Model> {
        self.earlier.iter().filter(|key| strikes_out(key.consecutive_failures))
    }

    /// Too few for an incident, and none that has struck out?
    fn is_nobody(&self) -> bool {
        self.recent.len() < FEWEST && self.struck_out().next().is_none()
    }
}

/// The end of an incident whose probe has brought a picture; `false` when there is no incident.
pub(super) async fn proved(ctx: &AppContext, probed: i64, leased: &Leased) -> Result<bool> {
    let Some(incident) = open(&ctx.db, &leased.key.provider).await? else { return Ok(false) };
    if probed == incident.id {
        close(ctx, &incident, leased).await?;
    }
    Ok(true)
}

/// Keys that wait for somebody else's picture to be judged by.
pub(super) fn accused(provider: &str) -> Select<Keys> {
    Keys::find()
        .filter(Key::Provider.eq(provider))
        .filter(Key::State.eq(State::Cooldown))
        .filter(Key::ConsecutiveFailures.gt(STRIKES_UNTIL_REVIEW))
}

/// The largest group that failed in the same way, if it is large enough.
fn failing_alike(recent: &[Model], pool: usize) -> Option<Vec<&Model>> {
    let mut groups: Vec<Vec<&Model>> = Vec::new();
    for key in recent {
        match groups.iter_mut().find(|group| group[0].struck_class == key.struck_class) {
            Some(group) => group.push(key),
            None => groups.push(vec![key]),
        }
    }
    let largest = groups.into_iter().max_by_key(Vec::len)?;
    rules::is_the_provider(largest.len(), pool).then_some(largest)
}

async fn begin_incident(txn: Transaction, provider: &str, alike: &[&Model], now: DateTimeUtc) -> Result<()> {
    let class = alike[0].struck_as();
    let row = ActiveModel {
        provider: Set(provider.to_owned()),
        class: Set(class.to_owned()),
        failed_probes: Set(0),
        // The first probe goes out at once.
        probed_at: Set(now - PROBE_EVERY),
        opened_at: Set(now),
        ..Default::default()
    };
    if !insert_new(&txn, row).await? {
        return Ok(());
    }
    let Some(incident) = open(&txn, provider).await? else { return Ok(()) };
    let back = |key: &Model| {
        let strikes = std::cmp::max(key.consecutive_failures - 1, 0);
        let change = match key.rest_asked_for() {
            Some(until) => Change::rest(ASKED_TO_REST, until, strikes),
            None => Change::back("provider incident", strikes),
        };
        Change { incident_id: Some(incident.id), ..change }
    };
    for key in alike {
        key.shift(&txn, &back(key)).await?;
    }
    for key in alike {
        key.tell(&txn, &Actor::System, &back(key)).await?;
    }
    let detail = json!({ "provider": provider, "class": class, "keys": ids(alike) });
    activities::record(&txn, &Actor::System, "open_incident", ("incident", incident.id), detail).await?;
    alerts::raise(&txn, &Trouble::Incident { provider, class }).await?;
    txn.commit().await?;
    tracing::warn!(incident.id, provider, class, keys = alike.len(), "keys of a provider fail alike: probing");
    Ok(())
}

async fn close(ctx: &AppContext, incident: &Incident, leased: &Leased) -> Result<()> {
    let txn = begin(&ctx.db).await?;
    let now = clock::now(&txn).await?;
    let won = Entity::update_many()
        .col_expr(Column::ClosedAt, Expr::value(now))
        .filter(Column::Id.eq(incident.id))
        .filter(Column::ClosedAt.is_null())
        .exec(&txn)
        .await?;
    if won.rows_affected == 0 {
        return Ok(());
    }
    // Behind the lock of that write nobody adds a strike to it.
    let failed_probes = Entity::find_by_id(incident.id).one(&txn).await?.map_or(0, |row| row.failed_probes);
    let held = Keys::find().filter(Key::IncidentId.eq(incident.id)).order_by_asc(Key::Id).all(&txn).await?;
    let was_everybody = failed_probes > 0 || held.iter().any(|key| key.id == leased.key.id);
    let cooldown = ctx.parts().settings().pool.cooldown();
    let mut moved = Vec::new();
    for key in &held {
        let strikes = key.consecutive_failures + 1;
        let change = match (was_everybody || key.state() != State::Active, strikes_out(strikes)) {
            (true, _) => {
                let_go(&txn, key).await?;
                continue;
            }
            (false, true) => Change::out(State::ManualReview, key.struck_as(), strikes),
            (false, false) => Change::rest(
                key.struck_as(),
                key.rest_until(now, rules::with_jitter(cooldown, &mut rand::rng())),
                strikes,
            ),
        };
        if key.shift(&txn, &change).await? {
            moved.push((key, change));
        }
    }
    for (key, change) in &moved {
        key.tell(&txn, &Actor::System, change).await?;
    }
    let detail =
        json!({ "provider": incident.provider, "failed_probes": failed_probes, "was_everybody": was_everybody });
    activities::record(&txn, &Actor::System, "close_incident", ("incident", incident.id), detail).await?;
    alerts::over(&txn, alerts::Kind::Incident, &incident.provider).await?;
    txn.commit().await?;
    tracing::warn!(incident.id, incident.provider, failed_probes, was_everybody, "incident over");
    Ok(())
}

/// The strike that the incident held is forgotten.
async fn let_go(txn: &DatabaseTransaction, key: &Model) -> Result<()> {
    Keys::update_many()
        .col_expr(Key::IncidentId, Expr::value(None::<i64>))
        .col_expr(Key::StruckAt, Expr::value(None::<DateTimeUtc>))
        .filter(Key::Id.eq(key.id))
        .exec(txn)
        .await?;
    Ok(())
}

async fn last_success(db: &impl ConnectionTrait, provider: &str) -> Result<Option<DateTimeUtc>> {
    let newest = Keys::find()
        .filter(Key::Provider.eq(provider))
        .filter(Key::SucceededAt.is_not_null())
        .order_by_desc(Key::SucceededAt)
        .limit(1)
        .one(db)
        .await?;
    Ok(newest.and_then(|key| key.succeeded_at))
}

/// Keys that work, or will again by themselves.
async fn pool_size(db: &impl ConnectionTrait, provider: &str) -> Result<usize> {
    let size = Keys::find()
        .filter(Key::Provider.eq(provider))
        .filter(Key::State.is_in([State::Active, State::Cooldown]))
        .count(db)
        .await?;
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

fn ids(keys: &[&provider_keys::Model]) -> Vec<i64> {
    keys.iter().map(|key| key.id).collect()
}

impl Model {
    /// The end of a rest that the vendor asked for. It stands, whoever is to blame for the strike before it.
    fn rest_asked_for(&self) -> Option<DateTimeUtc> {
        self.cooldown_until.filter(|_| self.state_reason.as_deref() == Some(ASKED_TO_REST))
    }

    fn struck_as(&self) -> &str {
        self.struck_class.as_deref().unwrap_or("strike")
    }
}
