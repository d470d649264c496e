use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::{Checkout, Event, Failure, Forged, Http, Method, Order, Truth, btcpay, manual, nowpayments};

/// Who takes the money. A new processor is a variant and a file.
#[derive(Clone, Debug)]
pub enum Processor {
    Btcpay(btcpay::Btcpay),
    Nowpayments(nowpayments::Nowpayments),
    Manual(manual::Manual),
}

/// The `settings.payments` tree, one branch per processor. A branch without an address (`BTCPay`, manual) or key
/// (`NOWPayments`) is switched off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub btcpay: btcpay::Config,
    pub nowpayments: nowpayments::Config,
    pub manual: manual::Config,
}

impl Settings {
    /// The processors that are switched on, in the order they are offered.
    #[must_use]
    pub fn processors(&self) -> Vec<Processor> {
        let btcpay = btcpay::Btcpay::new(&self.btcpay).map(Processor::Btcpay);
        let nowpayments = nowpayments::Nowpayments::new(&self.nowpayments).map(Processor::Nowpayments);
        let manual = manual::Manual::new(&self.manual).map(Processor::Manual);
        btcpay.into_iter().chain(nowpayments).chain(manual).collect()
    }

    /// The processor of this name, if it is switched on.
    #[must_use]
    pub fn processor(&self, name: &str) -> Option<Processor> {
        self.processors().into_iter().find(|it| it.name() == name)
    }

    /// # Errors
    /// Names the variable that is missing beside one that is set.
    pub fn check(&self) -> Result<(), String> {
        self.btcpay.check()?;
        self.nowpayments.check()?;
        self.manual.check()
    }
}

impl Processor {
    /// As invoices, webhook routes and settings write it: `btcpay`, `nowpayments`, `manual`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Btcpay(_) => btcpay::NAME,
            Self::Nowpayments(_) => nowpayments::NAME,
            Self::Manual(_) => manual::NAME,
        }
    }

    /// Opens a checkout. After [`Failure::Unknown`] ask [`Self::find`] before trying again.
    pub async fn create(&self, http: &Http, order: &Order<'_>) -> Result<Checkout, Failure> {
        match self {
            Self::Btcpay(it) => it.create(http, order).await,
            Self::Nowpayments(it) => it.create(http, order).await,
            Self::Manual(it) => Ok(it.create(order)),
        }
    }

    /// The checkout of this order, if one was created: one that has received money before any other, then the newest.
    ///
    /// `NOWPayments` can search nothing but payments, and always answers `None`: a checkout whose address never reached
    /// us was never shown to anybody, so nobody can have paid it and a second one does no harm.
    pub async fn find(&self, http: &Http, order_id: &str) -> Result<Option<Checkout>, Failure> {
        match self {
            Self::Btcpay(it) => it.find(http, order_id).await,
            Self::Nowpayments(_) | Self::Manual(_) => Ok(None),
        }
    }

    /// How the rest of a checkout can be paid now, for a page of our own. Empty where only the processor's page can say.
    pub async fn methods(&self, http: &Http, reference: &str) -> Result<Vec<Method>, Failure> {
        match self {
            Self::Btcpay(it) => it.methods(http, reference).await,
            Self::Nowpayments(_) | Self::Manual(_) => Ok(Vec::new()),
        }
    }

    /// The state of a checkout. `payments` are the ids known from events and earlier truths: `NOWPayments` has no way
    /// from a checkout to its payments unless the account's mail address and password are set; `BTCPay` ignores them.
    pub async fn truth(&self, http: &Http, reference: &str, payments: &[String]) -> Result<Truth, Failure> {
        match self {
            Self::Btcpay(it) => it.truth(http, reference).await,
            Self::Nowpayments(it) => it.truth(http, reference, payments).await,
            Self::Manual(_) => Ok(manual::Manual::truth(reference)),
        }
    }

    /// Every checkout (`BTCPay`) or every checkout with payments (`NOWPayments`) created since then; `None` where the
    /// processor tells nobody, because the account's mail address and password are not set.
    pub async fn recent(&self, http: &Http, since: DateTime<Utc>) -> Result<Option<Vec<Truth>>, Failure> {
        match self {
            Self::Btcpay(it) => it.recent(http, since).await.map(Some),
            Self::Nowpayments(it) => it.recent(http, since).await,
            // Nothing is known there that is not known here.
            Self::Manual(_) => Ok(Some(Vec::new())),
        }
    }

    /// Whether it answers, and takes our key where it can be asked without making anything.
    pub async fn check(&self, http: &Http) -> Result<(), Failure> {
        match self {
            Self::Btcpay(it) => it.find(http, "nproxy-doctor").await.map(drop),
            Self::Nowpayments(it) => it.check(http).await,
            // There is nobody to ask.
            Self::Manual(_) => Ok(()),
        }
    }

    /// Whether a webhook is genuine, over its raw bytes, and what it hints at.
    ///
    /// # Errors
    /// Answered with 401 and nothing else.
    pub fn verify(&self, headers: &HeaderMap, body: &Bytes) -> Result<Event, Forged> {
        match self {
            Self::Btcpay(it) => it.verify(headers, body),
            Self::Nowpayments(it) => it.verify(headers, body),
            Self::Manual(_) => Err(Forged::Unsigned),
        }
    }
}
