use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::decimal::Decimal;

/// An amount of a currency in its minor units: `Price::new(999, "USD")` is 9.99 US dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    pub minor: i64,
    /// ISO 4217, upper case.
    pub currency: String,
}

/// What somebody is to pay. The row behind `order_id` is committed before a processor hears of it.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Ours, unique: by it an order is found again when nobody knows whether it was created.
    pub order_id: &'a str,
    pub price: &'a Price,
    /// What the person reads at the processor's.
    pub description: &'a str,
    pub buyer_email: Option<&'a str>,
    /// Where the person's browser comes back to. Coming back proves nothing.
    pub return_url: &'a Url,
    /// Where the processor reports; `NOWPayments` takes it with each order, `BTCPay` has it in the store's settings.
    pub webhook_url: &'a Url,
    /// How long the amount is promised. Money may still arrive later.
    pub expires_in: Duration,
}

/// Where a person pays an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The processor's id, to be stored: [`Processor::truth`](super::Processor::truth) asks by it.
    pub reference: String,
    /// The processor's own page.
    pub checkout_url: String,
    /// When the promised amount ends; `None` where the processor does not say.
    pub expires_at: Option<DateTime<Utc>>,
    /// For a page of our own; empty where the processor lets people choose on its page only.
    pub methods: Vec<Method>,
}

/// One way to pay a checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// The processor's own name: `BTC-CHAIN`, `BTC-LN`.
    pub id: String,
    /// What is sent: `BTC`.
    pub currency: String,
    /// The words for people: `Bitcoin`, `Lightning`.
    pub network: String,
    /// What is still to be sent, in `currency`, exactly as the processor wrote it.
    pub due: String,
    /// What one of `currency` is worth in the currency of the price, as the processor wrote it; `None` where nobody kept it.
    #[serde(default)]
    pub rate: Option<String>,
    /// Address or Lightning invoice.
    pub destination: String,
    /// `bitcoin:…` or `lightning:…`, for a wallet and for the QR code.
    pub payment_link: Option<String>,
}

impl Price {
    #[must_use]
    pub fn new(minor: i64, currency: &str) -> Self {
        Self { minor, currency: currency.to_ascii_uppercase() }
    }

    /// Digits after the point: 2 for dollars, 0 for yen.
    #[must_use]
    pub fn digits(currency: &str) -> u32 {
        match currency.to_ascii_uppercase().as_str() {
            "CLP" | "ISK" | "JPY" | "KRW" | "PYG" | "UGX" | "VND" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
            _ => 2,
        }
    }

    /// `9.99`, as processors read it.
    #[must_use]
    pub fn in_words(&self) -> String {
        Decimal::from_minor(self.minor, Self::digits(&self.currency)).to_string()
    }

    /// What a processor wrote; `None` if it is no amount of whole minor units.
    #[must_use]
    pub fn read(amount: &str, currency: &str) -> Option<Self> {
        let minor = Decimal::parse(amount)?.to_minor_exactly(Self::digits(currency))?;
        Some(Self::new(minor, currency))
    }
}
