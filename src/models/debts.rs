//! What a person has used of something that was taken back: while any of it is open, nothing new starts. The person pays
//! with what they have and get of the same unit, before anything else; an operator may let the rest go. A row says who,
//! why and how much, and the database refuses to change that.

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait,
    PaginatorTrait, QueryFilter, QueryOrder, Select, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;

use super::{
    _entities::{
        debts::{ActiveModel, Column, Entity},
        holds,
    },
    activities::{self, Actor},
    allowances::{self, Unit},
    begin, clock, insert_new,
    ledger_entries::{Kind, Movement},
    text,
};

pub use super::_entities::debts::Model;

/// What became of letting a debt go.
#[derive(Debug, PartialEq, Eq)]
pub enum Forgiveness {
    /// So much was let go.
    Forgiven(i64),
    AlreadyCleared,
    Unknown,
}

/// Does this person owe anything?
///
/// # Errors
/// The database does not answer.
pub async fn owes(db: &impl ConnectionTrait, user_id: i64) -> Result<bool> {
    Ok(open(user_id).count(db).await? > 0)
}

/// All debts that a person ever had, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn all_of(db: &impl ConnectionTrait, user_id: i64) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user_id)).order_by_asc(Column::Id).all(db).await?)
}

/// Writes down what was used of an allowance that was taken back, once per `source`.
pub(super) async fn incur(
    txn: &DatabaseTransaction,
    of: &allowances::Model,
    amount: i64,
    source: String,
    reason: &str,
    now: DateTimeUtc,
) -> Result<()> {
    let row = ActiveModel {
        user_id: Set(of.user_id),
        allowance_id: Set(of.id),
        unit: Set(text(of.kind().unit())),
        amount: Set(amount),
        outstanding: Set(amount),
        forgiven: Set(0),
        source: Set(source),
        reason: Set(reason.to_owned()),
        created_at: Set(now),
        ..Default::default()
    };
    insert_new(txn, row).await?;
    Ok(())
}

/// A run that was under way when its allowance was taken back has brought pictures.
pub(super) async fn incur_late(
    txn: &DatabaseTransaction,
    of: &allowances::Model,
    hold: &holds::Model,
    amount: i64,
) -> Result<()> {
    allowances::one_at_a_time(txn, of.user_id).await?;
    // Later than whatever was held while we waited for the person.
    let now = clock::now(txn).await?;
    let reason = format!("run {} arrived after it was taken back", hold.run_id);
    incur(txn, of, amount, format!("capture:{}", hold.run_id), &reason, now).await?;
    collect(txn, of.user_id, now, &Actor::System).await?;
    Ok(())
}

/// Pays what the person owes from what they have free, oldest debt first; `false` when there was nothing to pay, or
/// nothing to pay it with. The caller has made others wait for this person.
pub(super) async fn collect(txn: &DatabaseTransaction, user_id: i64, now: DateTimeUtc, actor: &Actor) -> Result<bool> {
    let mut paid = false;
    for mut debt in open(user_id).order_by_asc(Column::Id).all(txn).await? {
        for allowance in allowances::payable(txn, user_id, debt.unit(), now).await? {
            if debt.outstanding == 0 {
                break;
            }
            let allowance = allowances::locked(txn, allowance.id).await?;
            let pays = Ord::min(allowance.available, debt.outstanding);
            if pays > 0 {
                let key = format!("debt:{}:{}", debt.id, debt.outstanding);
                let movement = Movement::new(Kind::Adjust, key, -pays, -pays).towards(&debt);
                allowance.post(txn, vec![movement], actor).await?;
                debt = debt.reduce(txn, pays, now).await?;
                paid = true;
            }
        }
    }
    Ok(paid)
}

/// Collects, because something may have come back since; does the person still owe?
pub(super) async fn still_owed(txn: &DatabaseTransaction, user_id: i64, now: DateTimeUtc) -> Result<bool> {
    if !owes(txn, user_id).await? {
        return Ok(false);
    }
    collect(txn, user_id, now, &Actor::System).await?;
    owes(txn, user_id).await
}

/// Lets go what is left of a debt, with the activity that says who did so and why.
///
/// # Errors
/// The database does not answer.
pub async fn forgive(txn: &DatabaseTransaction, id: i64, reason: &str, actor: &Actor) -> Result<Forgiveness> {
    let Some(seen) = by_id(txn, id).await? else { return Ok(Forgiveness::Unknown) };
    allowances::one_at_a_time(txn, seen.user_id).await?;
    let debt = by_id(txn, id).await?.ok_or(Error::NotFound)?;
    let cleared = Entity::update_many()
        .col_expr(Column::Forgiven, Expr::col(Column::Forgiven).add(Expr::col(Column::Outstanding)))
        .col_expr(Column::Outstanding, Expr::value(0))
        .col_expr(Column::ClearedAt, Expr::value(clock::now(txn).await?))
        .filter(Column::Id.eq(id))
        .filter(Column::ClearedAt.is_null())
        .exec(txn)
        .await?;
    if cleared.rows_affected == 0 {
        return Ok(Forgiveness::AlreadyCleared);
    }
    let detail = json!({ "user": debt.user_id, "forgiven": debt.outstanding, "unit": debt.unit, "reason": reason });
    activities::record(txn, actor, "forgive_debt", ("debt", id), detail).await?;
    Ok(Forgiveness::Forgiven(debt.outstanding))
}

/// An operator lets a debt go.
///
/// # Errors
/// The database does not answer.
pub async fn forgive_by_hand(ctx: &AppContext, id: i64, reason: &str, actor: &Actor) -> Result<Forgiveness> {
    let txn = begin(&ctx.db).await?;
    let forgiveness = forgive(&txn, id, reason, actor).await?;
    txn.commit().await?;
    Ok(forgiveness)
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps debts.unit to these words")]
    pub fn unit(&self) -> Unit {
        Unit::try_from_value(&self.unit).expect("debts.unit")
    }

    async fn reduce(mut self, txn: &DatabaseTransaction, by: i64, now: DateTimeUtc) -> Result<Self> {
        let outstanding = self.outstanding - by;
        let cleared_at = (outstanding == 0).then_some(now);
        let as_seen = Entity::update_many()
            .col_expr(Column::Outstanding, Expr::value(outstanding))
            .col_expr(Column::ClearedAt, Expr::value(cleared_at))
            .filter(Column::Id.eq(self.id))
            .filter(Column::Outstanding.eq(self.outstanding))
            .exec(txn)
            .await?;
        if as_seen.rows_affected != 1 {
            return Err(Error::Message(format!("debt {} moved under its lock", self.id)));
        }
        self.outstanding = outstanding;
        self.cleared_at = cleared_at;
        Ok(self)
    }
}

/// What of a person's debts is not cleared.
pub(super) fn open(user_id: i64) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user_id)).filter(Column::ClearedAt.is_null())
}

async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}
