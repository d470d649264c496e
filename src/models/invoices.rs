//! What somebody is to pay, and what became of it. An invoice moves forward only, by rank, and only what the processor
//! tells when it is asked makes it `paid`; that is also the moment in which the month is given.

mod alarms;
mod apply;
mod by_hand;
mod checkout;
pub mod links;
mod methods;
mod polling;
mod reconcile;
mod renewals;

use loco_rs::{Error, Result};
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DeriveActiveEnum, EntityTrait, EnumIter, QueryFilter, QueryOrder,
    QuerySelect, prelude::DateTimeUtc,
};
use uuid::Uuid;

use super::{
    _entities::{
        invoices::{Column, Entity},
        users,
    },
    allowances,
    catalogue::Offer,
    text,
};
use crate::adapters::payments::{Price, Status, manual, nowpayments};

pub use super::_entities::invoices::Model;
pub use apply::{Applied, apply};
pub(super) use by_hand::mark_paid_in;
pub use by_hand::{Marking, Refunding, check, mark_paid, refund, would_refund};
pub use checkout::{LIFE, Opening, open};
pub use polling::poll;
pub use reconcile::{Finding, reconcile};
pub use renewals::prepare_renewals;

pub use crate::adapters::payments::Method;

/// How many stand on the billing page.
const LISTED: u64 = 50;

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    /// Nothing was seen.
    New,
    /// Money was seen, nothing of it is confirmed.
    Pending,
    /// The processor is still at it; some of the money is confirmed.
    Confirming,
    /// Less than the price was paid.
    Underpaid,
    /// The time to pay is over. Money may still come, and counts.
    Expired,
    /// Given up by the person, or not accepted by the processor. Money may still come, and counts.
    Canceled,
    Paid,
    /// Given back by an operator.
    Refunded,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    Subscription,
    Tokens,
    Relays,
}

/// States in which a person is expected to pay, or is being waited for; the order of [`State`] is the rank.
const OPEN: [State; 4] = [State::New, State::Pending, State::Confirming, State::Underpaid];

impl State {
    /// What the processor tells, in our states. A refund is an operator's act here and takes nothing by itself; before
    /// anything was paid it only says that nothing will be.
    #[must_use]
    pub const fn of(status: Status) -> Self {
        match status {
            Status::New => Self::New,
            Status::Pending => Self::Pending,
            Status::Confirming => Self::Confirming,
            Status::Underpaid => Self::Underpaid,
            Status::Expired => Self::Expired,
            Status::Paid => Self::Paid,
            Status::Refunded | Status::Invalid => Self::Canceled,
        }
    }

    /// Where an invoice goes when the processor tells `told`: the state of the higher rank, never back.
    #[must_use]
    pub fn then(self, told: Self) -> Self {
        self.max(told)
    }

    #[must_use]
    pub fn is_open(self) -> bool {
        OPEN.contains(&self)
    }
}

/// One of the person's own; a stranger's is simply not found.
///
/// # Errors
/// The database does not answer.
pub async fn own(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::Pid.eq(pid)).one(db).await?)
}

/// The person's own, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(db: &impl ConnectionTrait, user: &users::Model) -> Result<Vec<Model>> {
    let own = Entity::find().filter(Column::UserId.eq(user.id));
    Ok(own.order_by_desc(Column::Id).limit(LISTED).all(db).await?)
}

/// Whose ever it is: for who proves by a signed link that it was sent to them.
///
/// # Errors
/// The database does not answer.
pub async fn by_pid(db: &impl ConnectionTrait, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Pid.eq(pid)).one(db).await?)
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// The one that a person is expected to pay at this moment, or is being waited for.
///
/// # Errors
/// The database does not answer.
pub async fn open_of(db: &impl ConnectionTrait, user_id: i64, now: DateTimeUtc) -> Result<Option<Model>> {
    Ok(unfinished(db, user_id).await?.filter(|invoice| invoice.state_at(now).is_open()))
}

/// The one for the plan that no job has closed yet, though its time may be over: there is one at most.
async fn unfinished(db: &impl ConnectionTrait, user_id: i64) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::Kind.eq(text(Kind::Subscription)))
        .filter(Column::State.is_in(words(OPEN)))
        .one(db)
        .await?)
}

/// For operators, who name an invoice by its number here or by the one that the person sees.
///
/// # Errors
/// The database does not answer.
pub async fn by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>> {
    match (name.parse::<i64>(), name.parse::<Uuid>()) {
        (Ok(id), _) => by_id(db, id).await,
        (Err(_), Ok(pid)) => by_pid(db, pid).await,
        (Err(_), Err(_)) => Ok(None),
    }
}

/// The invoice that a processor speaks of: by its own id of the checkout, or by ours of the order.
pub(super) async fn named(
    db: &impl ConnectionTrait,
    processor: &str,
    reference: Option<&str>,
    order_id: Option<&str>,
) -> Result<Option<Model>> {
    let of_processor = || Entity::find().filter(Column::Processor.eq(processor));
    if let Some(reference) = reference
        && let Some(found) = of_processor().filter(Column::ProcessorRef.eq(reference)).one(db).await?
    {
        return Ok(Some(found));
    }
    let Some(pid) = order_id.and_then(|id| id.parse::<Uuid>().ok()) else { return Ok(None) };
    Ok(of_processor().filter(Column::Pid.eq(pid)).one(db).await?)
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps invoices.state to these words")]
    pub fn state(&self) -> State {
        State::try_from_value(&self.state).expect("invoices.state")
    }

    /// As it stands at this moment: when the time to pay is over, that waits for no job.
    #[must_use]
    pub fn state_at(&self, now: DateTimeUtc) -> State {
        match self.state() {
            State::New | State::Underpaid if self.expires_at <= now => State::Expired,
            state => state,
        }
    }

    /// Money for it was seen, and is being confirmed.
    #[must_use]
    pub fn is_being_paid(&self) -> bool {
        matches!(self.state(), State::Pending | State::Confirming)
    }

    /// Lies ready for a renewal: nobody has asked for a checkout yet, so no amount is promised.
    #[must_use]
    pub const fn is_unopened(&self) -> bool {
        self.processor_ref.is_none() && self.opening_until.is_none()
    }

    /// A human of the shop says what arrived; no machine can be asked.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.processor == manual::NAME
    }

    /// Whether what is missing can be sent after. Where each transfer is a payment of its own it is added to none, and the
    /// checkout asks for the whole price again.
    #[must_use]
    pub fn takes_the_rest(&self) -> bool {
        self.processor != nowpayments::NAME
    }

    /// A part arrived, and only a person of the shop can make something of it.
    #[must_use]
    pub fn is_stuck_at(&self, now: DateTimeUtc) -> bool {
        let is_in_part = match self.state_at(now) {
            State::Underpaid => true,
            State::Expired | State::Canceled => self.paid_minor > 0 && self.rest_minor() > 0,
            State::New | State::Pending | State::Confirming | State::Paid | State::Refunded => false,
        };
        is_in_part && !self.takes_the_rest()
    }

    /// What is still to be paid, in minor units.
    #[must_use]
    pub fn rest_minor(&self) -> i64 {
        (self.price_minor - self.paid_minor).max(0)
    }

    /// What was asked for, as the processor hears it.
    #[must_use]
    pub fn price(&self) -> Price {
        Price::new(self.price_minor, &self.currency)
    }

    /// What was on offer when it was asked for; later prices do not change it.
    ///
    /// # Errors
    /// The column was changed by hand.
    pub fn offer(&self) -> Result<Offer> {
        serde_json::from_value(self.offer_snapshot.clone()).map_err(Error::wrap)
    }

    /// The name under which the processor knows the order.
    #[must_use]
    pub fn order_id(&self) -> String {
        self.pid.to_string()
    }

    /// The month that it bought; `None` until it is paid.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn bought(&self, db: &impl ConnectionTrait) -> Result<Option<allowances::Model>> {
        allowances::by_source(db, &self.source()).await
    }

    /// The source of the grant: there is one per invoice, whoever brings the news and however often.
    fn source(&self) -> String {
        format!("invoice:{}", self.id)
    }
}

/// A state as operators read it.
#[must_use]
pub fn word(state: State) -> String {
    text(state)
}

fn words(states: impl IntoIterator<Item = State>) -> Vec<String> {
    states.into_iter().map(text).collect()
}
