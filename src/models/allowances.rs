//! What a person may spend. A monthly quota, the free trial and prepaid tokens are three kinds of the same thing:
//! granted once per source, held before a run, captured or released after it. Every movement is a ledger entry in the
//! same transaction; the columns here are the sums, guarded by the database.

mod adjustment;
pub mod expiry;
mod granting;
mod moving;
mod revocation;

use loco_rs::{Error, Result};
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DeriveActiveEnum, EntityTrait, EnumIter,
    ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    prelude::DateTimeUtc,
    sea_query::{Expr, LockType},
};

use super::{
    _entities::{
        allowances::{Column, Entity},
        users,
    },
    activities::Actor,
    clock,
    ledger_entries::{self, Movement},
    text,
};

pub use super::_entities::allowances::Model;
pub use adjustment::{Adjustment, adjust, adjust_by_hand};
pub(super) use granting::grant_trial;
pub use granting::{Gift, Grant, grant, grant_by_hand};
pub(super) use moving::{begin_at, end_now, move_by};
pub use revocation::{Revocation, Standing, revoke, revoke_by_hand};

/// The most that an operator moves at once: far above anything sold, far below what a sum can hold.
pub const AMOUNT_MAX: i64 = 1_000_000_000;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    Quota,
    Trial,
    Tokens,
}

/// What a balance counts, and what a debt is owed in.
#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Unit {
    Pictures,
    Tokens,
}

impl Kind {
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Quota | Self::Trial => Unit::Pictures,
            Self::Tokens => Unit::Tokens,
        }
    }
}

/// Why nothing on an allowance is free again: what runs under way give back goes the same way.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    Ended,
    Revoked,
}

impl Closed {
    /// Takes what a run gave back.
    pub(super) fn takes(self, amount: i64, run_id: i64) -> Movement {
        let (kind, key) = match self {
            Self::Ended => (ledger_entries::Kind::Expire, format!("expire:run:{run_id}")),
            Self::Revoked => (ledger_entries::Kind::Adjust, format!("revoke:run:{run_id}")),
        };
        Movement::new(kind, key, -amount, -amount)
    }
}

/// Everything that counts for the person at this moment, in the order in which it is spent: soonest-ending first, then
/// quota before trial before tokens.
///
/// # Errors
/// The database does not answer.
pub async fn current(db: &impl ConnectionTrait, user_id: i64) -> Result<Vec<Model>> {
    let now = clock::now(db).await?;
    current_at(db, user_id, now).await
}

pub(super) async fn current_at(db: &impl ConnectionTrait, user_id: i64, now: DateTimeUtc) -> Result<Vec<Model>> {
    Ok(as_spent(open(user_id, now).filter(Column::StartsAt.lte(now)).all(db).await?))
}

/// Everything with something free that a debt can be paid from, what begins later too; in the order in which it is spent.
pub(super) async fn payable(
    db: &impl ConnectionTrait,
    user_id: i64,
    unit: Unit,
    now: DateTimeUtc,
) -> Result<Vec<Model>> {
    let mut free = as_spent(open(user_id, now).filter(Column::Available.gt(0)).all(db).await?);
    free.retain(|allowance| allowance.kind().unit() == unit);
    Ok(free)
}

/// All that a person ever had, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn all_of(db: &impl ConnectionTrait, user_id: i64) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user_id)).order_by_asc(Column::Id).all(db).await?)
}

/// Months that end, or have ended, between two moments and were not taken back; a page of them, those with an id above
/// `after`.
pub(super) async fn ending(
    db: &impl ConnectionTrait,
    (from, until): (DateTimeUtc, DateTimeUtc),
    after: i64,
    page: u64,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::Kind.eq(text(Kind::Quota)))
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.gt(from))
        .filter(Column::ExpiresAt.lte(until))
        .filter(Column::Id.gt(after))
        .order_by_asc(Column::Id)
        .limit(page)
        .all(db)
        .await?)
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// What was granted for this: `invoice:ID`, `trial:USER`, `admin:ACTIVITY`.
///
/// # Errors
/// The database does not answer.
pub async fn by_source(db: &impl ConnectionTrait, source: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Source.eq(source)).one(db).await?)
}

/// Makes whoever moves what this person may spend wait for whoever does so now: no hold slips past a debt that is just
/// being written. Taken before the audit log and before any allowance; on `SQLite` there is one writer anyway.
pub(super) async fn one_at_a_time(txn: &DatabaseTransaction, user_id: i64) -> Result<()> {
    if txn.get_database_backend() == DbBackend::Postgres {
        let row = users::Entity::find_by_id(user_id).select_only().column(users::Column::Id);
        row.lock(LockType::NoKeyUpdate).into_tuple::<i64>().one(txn).await?;
    }
    Ok(())
}

/// The allowance as it is now; nobody else moves it until this transaction ends.
pub(super) async fn locked(txn: &DatabaseTransaction, id: i64) -> Result<Model> {
    let row = Entity::find_by_id(id).lock(LockType::NoKeyUpdate).one(txn).await?;
    row.ok_or(Error::NotFound)
}

/// The person first, then the allowance, as everybody takes them. One that was taken back comes without its lock: whoever
/// settles a run on it has it, and may be waiting for the person.
async fn locked_with_person(txn: &DatabaseTransaction, id: i64) -> Result<Option<Model>> {
    let Some(seen) = by_id(txn, id).await? else { return Ok(None) };
    one_at_a_time(txn, seen.user_id).await?;
    match by_id(txn, id).await? {
        Some(seen) if seen.revoked_at.is_none() => Ok(Some(locked(txn, id).await?)),
        revoked_or_none => Ok(revoked_or_none),
    }
}

/// Moves both sums as one movement says, however they stand, and writes down why; the allowance as it stands then.
pub(super) async fn post_one(txn: &DatabaseTransaction, id: i64, movement: Movement, actor: &Actor) -> Result<Model> {
    let mut moved = Entity::update_many()
        .col_expr(Column::Available, Expr::col(Column::Available).add(movement.available_delta()))
        .col_expr(Column::Posted, Expr::col(Column::Posted).add(movement.posted_delta()))
        .filter(Column::Id.eq(id))
        .exec_with_returning(txn)
        .await?;
    let after = moved.pop().ok_or(Error::NotFound)?;
    ledger_entries::append(txn, &after, movement, actor).await?;
    Ok(after)
}

/// Of this person, and at this moment neither over nor taken back.
fn open(user_id: i64, now: DateTimeUtc) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(now)))
}

fn as_spent(mut allowances: Vec<Model>) -> Vec<Model> {
    allowances.sort_by_key(|a| (a.expires_at.is_none(), a.expires_at, a.kind() as u8, a.id));
    allowances
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps allowances.kind to these words")]
    pub fn kind(&self) -> Kind {
        Kind::try_from_value(&self.kind).expect("allowances.kind")
    }

    /// Sets `amount` aside if so much is free, and says what stands after that; of many at once exactly as many win as
    /// there is.
    pub(super) async fn claim(&self, txn: &DatabaseTransaction, amount: i64) -> Result<Option<Self>> {
        let mut won = Entity::update_many()
            .col_expr(Column::Available, Expr::col(Column::Available).sub(amount))
            .filter(Column::Id.eq(self.id))
            .filter(Column::Available.gte(amount))
            .exec_with_returning(txn)
            .await?;
        Ok(won.pop())
    }

    /// A month of which a fifth or less is left, so that people see 20 % or nothing. What runs under way hold counts as
    /// left, because it may come back.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.is_low_with(self.posted)
    }

    /// Would it be low if so much were left?
    pub(super) fn is_low_with(&self, posted: i64) -> bool {
        self.kind() == Kind::Quota && posted * 5 <= self.granted
    }

    /// Judged by the clock, by the write-off and by the taking back, whichever came first.
    #[must_use]
    pub fn closed(&self, now: DateTimeUtc) -> Option<Closed> {
        if self.revoked_at.is_some() {
            return Some(Closed::Revoked);
        }
        let ended = self.expired_at.is_some() || self.expires_at.is_some_and(|end| end <= now);
        ended.then_some(Closed::Ended)
    }

    /// When it ended, if its time was limited or it was taken back: whichever came first.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTimeUtc> {
        [self.revoked_at, self.expires_at].into_iter().flatten().min()
    }

    /// Moves both sums and writes down why, movement by movement, with the ends as they stand in `self`, which is locked:
    /// should it have moved all the same, nothing is written and the transaction fails.
    pub(super) async fn post(
        mut self,
        txn: &DatabaseTransaction,
        movements: Vec<Movement>,
        actor: &Actor,
    ) -> Result<Self> {
        let (available, posted) =
            movements.iter().fold((0, 0), |(a, p), m| (a + m.available_delta(), p + m.posted_delta()));
        let mut update = Entity::update_many()
            .col_expr(Column::Available, Expr::col(Column::Available).add(available))
            .col_expr(Column::Posted, Expr::col(Column::Posted).add(posted));
        for (column, end) in [(Column::ExpiredAt, self.expired_at), (Column::RevokedAt, self.revoked_at)] {
            if end.is_some() {
                update = update.col_expr(column, Expr::value(end));
            }
        }
        let as_seen = update
            .filter(Column::Id.eq(self.id))
            .filter(Column::Available.eq(self.available))
            .filter(Column::Posted.eq(self.posted));
        if as_seen.exec(txn).await?.rows_affected != 1 {
            return Err(Error::Message(format!("allowance {} moved under its lock", self.id)));
        }
        for movement in movements {
            self.available += movement.available_delta();
            self.posted += movement.posted_delta();
            ledger_entries::append(txn, &self, movement, actor).await?;
        }
        Ok(self)
    }
}
