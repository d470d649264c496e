/// What a genuine webhook says: a hint to fetch the truth, never the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Each names this delivery; any of them seen before means it was. A redelivery repeats them all.
    pub dedupe_keys: Vec<String>,
    /// [`Checkout::reference`](super::Checkout::reference); `None` for events about something else, such as payouts.
    pub reference: Option<String>,
    /// The payment it is about. Store it beside the reference: `NOWPayments` can be asked for nothing else.
    pub payment: Option<String>,
    /// Set on money that was sent again to an old address: the payment that it was sent to. Where nothing else names an
    /// order, this leads to it.
    pub parent: Option<String>,
    /// The order id we gave.
    pub order_id: Option<String>,
    /// The processor's word for what happened (`InvoiceSettled`, `partially_paid`), for operators' eyes only.
    pub kind: String,
    /// Money goes back, and no [`Truth`](super::Truth) will ever tell of it.
    pub is_refund: bool,
    /// The processor says that it tells us again.
    pub redelivery: bool,
}

/// Why a webhook is not believed. All are answered alike; the difference is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    #[error("no signature")]
    Unsigned,
    #[error("the signature is not by any active secret")]
    Mismatch,
    #[error("the body is not what this processor sends")]
    Unreadable,
}
