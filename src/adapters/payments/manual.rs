//! Money that no machine takes: the person arranges it with a human of the shop, who says what arrived
//! (`invoices::mark_paid`). There is no wire, so nothing here can fail, and nothing but that word ever pays an invoice.

use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use url::Url;

use super::{Checkout, Order, Status, Truth};

/// As invoices and settings write it.
pub const NAME: &str = "manual";

/// People who write to each other need days.
const LIFE: TimeDelta = TimeDelta::days(7);

/// The `settings.payments.manual` tree; without an address switched off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where a payment is arranged: a chat (`https:`) or a mail address (`mailto:`).
    #[serde(deserialize_with = "crate::settings::url_if_any")]
    pub url: Option<Url>,
}

/// A human of the shop.
#[derive(Clone, Debug)]
pub struct Manual {
    url: Url,
}

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.url {
            Some(url) if !matches!(url.scheme(), "https" | "mailto") => {
                Err("MANUAL_PAYMENT_URL begins with https: or mailto:".to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Manual {
    /// `None` if no address is set.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        config.url.clone().map(|url| Self { url })
    }

    /// The order itself is the reference: nobody else knows it.
    #[expect(clippy::disallowed_methods, reason = "stands for the clock of a processor, which is not ours either")]
    pub(super) fn create(&self, order: &Order<'_>) -> Checkout {
        Checkout {
            reference: order.order_id.to_owned(),
            checkout_url: self.url.to_string(),
            expires_at: Some(Utc::now() + LIFE),
            methods: Vec::new(),
        }
    }

    /// What is known without a human's word: nothing has arrived.
    pub(super) fn truth(reference: &str) -> Truth {
        Truth {
            reference: reference.to_owned(),
            order_id: Some(reference.to_owned()),
            shop_matches: true,
            price: None,
            paid_minor: 0,
            seen_minor: 0,
            redeposited_minor: 0,
            status: Status::New,
            late: false,
            overpaid: false,
            marked: false,
            payments: Vec::new(),
            unlisted: None,
        }
    }
}
