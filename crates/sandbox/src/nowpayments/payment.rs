//! The life of a payment, from the choice of a coin to the money at the merchant's.

use serde::Serialize;

use crate::btcpay::{fixed, shortest};

/// One bitcoin in minor units of any currency: 65,000.00.
const RATE_MINOR: i64 = 6_500_000;
const SATS_PER_COIN: i64 = 100_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    Waiting,
    Confirming,
    Confirmed,
    Sending,
    Finished,
    PartiallyPaid,
    Failed,
    Refunded,
    Expired,
    Cancelled,
}

/// An invoice has no status of its own.
#[derive(Clone, Debug)]
pub struct NowInvoice {
    pub id: u64,
    pub minor: i64,
    pub currency: String,
    pub order_id: Option<String>,
    pub description: String,
    pub ipn_url: Option<String>,
    pub success_url: Option<String>,
    pub cancel_url: Option<String>,
    pub created: String,
}

#[derive(Clone, Debug)]
pub struct NowPayment {
    pub id: u64,
    pub invoice: u64,
    pub purchase: u64,
    pub parent: Option<u64>,
    pub children: Vec<u64>,
    pub status: PaymentStatus,
    pub price_minor: i64,
    pub currency: String,
    pub asked_sats: i64,
    pub paid_sats: i64,
    /// Unix microseconds.
    pub created_at: i64,
    /// When its state last changed by itself or by somebody.
    pub changed_at: i64,
    pub created: String,
}

impl PaymentStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Confirming => "confirming",
            Self::Confirmed => "confirmed",
            Self::Sending => "sending",
            Self::Finished => "finished",
            Self::PartiallyPaid => "partially_paid",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

impl NowInvoice {
    /// The price in coins, rounded up.
    pub fn price_sats(&self) -> i64 {
        (self.minor * SATS_PER_COIN + RATE_MINOR - 1) / RATE_MINOR
    }
}

/// A field of the wire: its name, its JSON as written and its JSON with all names sorted.
pub(super) struct Field(pub &'static str, pub String, pub String);

impl NowPayment {
    /// The next state by itself; the same one when it stays.
    pub fn next(&self) -> PaymentStatus {
        match self.status {
            PaymentStatus::Confirming if self.paid_sats < self.asked_sats => PaymentStatus::PartiallyPaid,
            PaymentStatus::Confirming => PaymentStatus::Confirmed,
            PaymentStatus::Confirmed => PaymentStatus::Sending,
            PaymentStatus::Sending => PaymentStatus::Finished,
            stays => stays,
        }
    }

    /// In the order in which the real one writes it, which is not sorted.
    pub(super) fn fields(&self, invoice: &NowInvoice) -> Vec<Field> {
        let same = |name, json: String| Field(name, json.clone(), json);
        let text = |name, text: &str| same(name, serde_json::Value::from(text).to_string());
        let or_null = |it: Option<String>| it.unwrap_or_else(|| "null".to_owned());
        let children = match self.children.as_slice() {
            [] => "null".to_owned(),
            all => format!("[{}]", all.iter().map(u64::to_string).collect::<Vec<_>>().join(",")),
        };
        let coins = |sats: i64| shortest(sats.into(), 8);
        vec![
            same("payment_id", self.id.to_string()),
            same("parent_payment_id", or_null(self.parent.map(|it| it.to_string()))),
            same("invoice_id", self.invoice.to_string()),
            text("payment_status", self.status.as_str()),
            text("pay_address", &format!("bcrt1qnow{}", self.parent.unwrap_or(self.id))),
            same("payin_extra_id", "null".to_owned()),
            same("price_amount", shortest(self.price_minor.into(), 2)),
            text("price_currency", &self.currency),
            same("pay_amount", coins(self.asked_sats)),
            same("actually_paid", coins(self.paid_sats)),
            same("actually_paid_at_fiat", "0".to_owned()),
            text("pay_currency", "btc"),
            same(
                "order_id",
                or_null(invoice.order_id.as_ref().map(|it| serde_json::Value::from(it.as_str()).to_string())),
            ),
            text("order_description", &invoice.description),
            text("purchase_id", &self.purchase.to_string()),
            same("outcome_amount", coins(self.paid_sats * 99 / 100)),
            text("outcome_currency", "btc"),
            same("payment_extra_ids", children),
            Field(
                "fee",
                r#"{"currency":"btc","depositFee":9e-7,"withdrawalFee":0,"serviceFee":0}"#.to_owned(),
                r#"{"currency":"btc","depositFee":9e-7,"serviceFee":0,"withdrawalFee":0}"#.to_owned(),
            ),
        ]
    }

    /// `GET /v1/payment/{id}`: the id is text there, and amounts are numbers.
    pub(super) fn answer(&self, invoice: &NowInvoice) -> String {
        let mut fields: Vec<String> =
            self.fields(invoice).iter().map(|Field(name, raw, _)| format!("\"{name}\":{raw}")).collect();
        fields[0] = format!("\"payment_id\":\"{}\"", self.id);
        fields.push("\"type\":\"crypto2crypto\"".to_owned());
        fields.push(format!("\"created_at\":\"{}\"", self.created));
        format!("{{{}}}", fields.join(","))
    }

    pub fn due_sats(&self) -> i64 {
        (self.asked_sats - self.paid_sats).max(0)
    }

    pub fn in_coins(sats: i64) -> String {
        fixed(sats.into(), 8)
    }
}
