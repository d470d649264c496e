use super::{Failure, Price};

/// The state of a checkout as the processor tells it when asked, in our own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The processor's id of the checkout.
    pub reference: String,
    /// The order id we gave; `None` while the processor knows nothing (`NOWPayments` before the first payment).
    pub order_id: Option<String>,
    /// It belongs to the shop of our settings.
    pub shop_matches: bool,
    /// What was asked for; `None` while the processor knows nothing.
    pub price: Option<Price>,
    /// Confirmed money in minor units of the price's currency, rounded down. Without redeposits.
    pub paid_minor: i64,
    /// Money seen, confirmed or not. Never less than `paid_minor`.
    pub seen_minor: i64,
    /// Confirmed money that was sent again to an old address, at its measured value. Somebody looks before it counts.
    pub redeposited_minor: i64,
    pub status: Status,
    /// The money came after the promised amount had ended.
    pub late: bool,
    /// More than the price was paid.
    pub overpaid: bool,
    /// A person at the processor's set this status by hand; the money need not be there.
    pub marked: bool,
    /// The single payments as far as the processor tells them. Their ids are worth storing.
    pub payments: Vec<Payment>,
    /// Why the account's own list of them was not to be had: one whose notification was lost is missing here.
    pub unlisted: Option<Failure>,
}

/// Where a checkout stands. The order is that of an invoice's life, not of importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing was seen.
    New,
    /// Money was seen; nothing of it is confirmed. It may vanish again, and then the status is [`Status::New`].
    Pending,
    /// The processor is still at it; some of the money is confirmed.
    Confirming,
    /// Less than the price was paid. More may follow.
    Underpaid,
    /// The promised amount ended without money. Money may still follow.
    Expired,
    /// The processor has it all: the only status that grants anything.
    Paid,
    /// Given back.
    Refunded,
    /// The processor does not accept the payment: double-spent, failed, or declared so by hand.
    Invalid,
}

/// One payment into a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The processor's id, unique at the processor.
    pub id: String,
    pub status: Status,
    /// In minor units of the price's currency, rounded down; measured, not what was asked for.
    pub minor: i64,
    /// Set on a redeposit: the payment to whose address money was sent again. Never worth its face value.
    pub parent: Option<String>,
}

/// Why a truth is not about our order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("the checkout belongs to another shop")]
    Shop,
    #[error("the checkout is for another order")]
    Order,
    #[error("the checkout is in another currency")]
    Currency,
    #[error("the checkout asks for less than our price")]
    Price,
}

impl Truth {
    /// Holds what the processor tells against what we asked for. What it does not know yet cannot differ.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, order_id: &str, price: &Price) -> Result<(), Mismatch> {
        if !self.shop_matches {
            return Err(Mismatch::Shop);
        }
        if self.order_id.as_deref().is_some_and(|it| it != order_id) {
            return Err(Mismatch::Order);
        }
        let Some(asked) = &self.price else { return Ok(()) };
        if asked.currency != price.currency {
            return Err(Mismatch::Currency);
        }
        if asked.minor < price.minor {
            return Err(Mismatch::Price);
        }
        // Money without a name on it is nobody's.
        if self.order_id.is_none() { Err(Mismatch::Order) } else { Ok(()) }
    }
}

impl Status {
    /// Stable, for rows and labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Confirming => "confirming",
            Self::Underpaid => "underpaid",
            Self::Expired => "expired",
            Self::Paid => "paid",
            Self::Refunded => "refunded",
            Self::Invalid => "invalid",
        }
    }
}
