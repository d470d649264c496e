//! The life of an invoice, as `InvoiceWatcher` of BTCPay Server 2.4 lives it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One bitcoin in minor units of any currency: 65,000.00.
const RATE_MINOR: i64 = 6_500_000;
const SATS_PER_COIN: i64 = 100_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    New,
    Processing,
    Expired,
    Invalid,
    Settled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Additional {
    None,
    PaidPartial,
    PaidOver,
    PaidLate,
    Marked,
    Invalid,
}

/// The chain waits for blocks, Lightning settles at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    Chain,
    Lightning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Confirmation {
    Invalid,
    Processing,
    Settled,
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub id: String,
    pub way: Way,
    pub sats: i64,
    pub received: DateTime<Utc>,
    pub status: Confirmation,
    pub after_expiration: bool,
}

#[derive(Clone, Debug)]
pub struct Invoice {
    pub id: String,
    pub minor: i64,
    pub currency: String,
    pub metadata: Value,
    pub redirect_url: Option<String>,
    pub created: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    pub watched_until: DateTime<Utc>,
    pub status: Status,
    pub additional: Additional,
    pub payments: Vec<Payment>,
}

/// Something to tell the shop: the type of the webhook, and what it says beyond the invoice.
#[derive(Clone, Debug, PartialEq)]
pub struct News(pub &'static str, pub Map<String, Value>);

fn news(kind: &'static str, more: Value) -> News {
    News(kind, if let Value::Object(more) = more { more } else { Map::new() })
}

impl Invoice {
    pub fn order_id(&self) -> Option<&str> {
        self.metadata["orderId"].as_str()
    }

    /// The price in coins, rounded up.
    pub fn price_sats(&self) -> i64 {
        (self.minor * SATS_PER_COIN + RATE_MINOR - 1) / RATE_MINOR
    }

    /// What counts as paid, confirmed or not.
    pub fn paid_sats(&self) -> i64 {
        self.payments.iter().filter(|it| it.status != Confirmation::Invalid).map(|it| it.sats).sum()
    }

    pub fn due_sats(&self) -> i64 {
        (self.price_sats() - self.paid_sats()).max(0)
    }

    pub fn is_confirmed(&self) -> bool {
        self.payments.iter().all(|it| it.status != Confirmation::Processing)
    }

    /// What a person's coins do first: appear.
    pub fn pay(&mut self, id: String, way: Way, sats: i64, now: DateTime<Utc>) -> Vec<News> {
        let mut told = self.tick(now);
        let after_expiration = now >= self.expires;
        let payment = Payment { id, way, sats, received: now, status: Confirmation::Processing, after_expiration };
        told.push(news("InvoiceReceivedPayment", payment.told()));
        self.payments.push(payment);
        told.extend(self.weigh());
        if way == Way::Lightning {
            told.extend(self.confirm(|it| it.way == Way::Lightning));
        }
        told
    }

    /// Blocks were found: the payments that `which` chooses are final.
    pub fn confirm(&mut self, which: impl Fn(&Payment) -> bool) -> Vec<News> {
        let mut told = Vec::new();
        for payment in self.payments.iter_mut().filter(|it| it.status == Confirmation::Processing && which(it)) {
            payment.status = Confirmation::Settled;
            told.push(news("InvoicePaymentSettled", payment.told()));
        }
        if self.status == Status::Processing && self.is_confirmed() {
            self.status = Status::Settled;
            let over = self.additional == Additional::PaidOver;
            told.push(news("InvoiceSettled", json!({"manuallyMarked": false, "overPaid": over})));
        }
        told
    }

    /// The sender took unconfirmed coins back. Nobody is told: the invoice just is as before.
    pub fn double_spend(&mut self) {
        for payment in self.payments.iter_mut().filter(|it| it.status == Confirmation::Processing) {
            payment.status = Confirmation::Invalid;
        }
        match self.status {
            Status::Processing => {
                self.status = Status::New;
                self.additional = Additional::None;
            }
            Status::New | Status::Expired => self.additional = Additional::None,
            Status::Invalid | Status::Settled => return,
        }
        let _ = self.weigh();
    }

    /// A person of the shop decides.
    pub fn mark(&mut self, settled: bool) -> Vec<News> {
        self.additional = Additional::Marked;
        if settled {
            self.status = Status::Settled;
            vec![news("InvoiceSettled", json!({"manuallyMarked": true, "overPaid": false}))]
        } else {
            self.status = Status::Invalid;
            vec![news("InvoiceInvalid", json!({"manuallyMarked": true}))]
        }
    }

    /// A pull payment is made; the invoice itself does not change.
    pub fn refund(&self, pull_payment: &str) -> Vec<News> {
        vec![news("InvoiceRefund", json!({"pullPaymentId": pull_payment}))]
    }

    /// The promise ends now.
    pub fn expire(&mut self, now: DateTime<Utc>) -> Vec<News> {
        self.expires = self.expires.min(now);
        self.tick(now)
    }

    /// What time alone does.
    pub fn tick(&mut self, now: DateTime<Utc>) -> Vec<News> {
        let mut told = Vec::new();
        if self.status == Status::New && now >= self.expires {
            self.status = Status::Expired;
            let partially = self.additional == Additional::PaidPartial;
            told.push(news("InvoiceExpired", json!({"partiallyPaid": partially})));
            if partially {
                told.push(news("InvoiceExpiredPaidPartial", json!({})));
            }
        }
        if self.status == Status::Processing && now >= self.watched_until {
            self.status = Status::Invalid;
            told.push(news("InvoiceInvalid", json!({"manuallyMarked": false})));
        }
        told
    }

    /// Chain payments old enough to be in blocks.
    pub fn ripen(&mut self, now: DateTime<Utc>, age: Duration) -> Vec<News> {
        let ripe = now - TimeDelta::from_std(age).unwrap_or_default();
        self.confirm(|it| it.received <= ripe)
    }

    /// What the sum of the payments makes of the invoice.
    fn weigh(&mut self) -> Vec<News> {
        let (paid, price) = (self.paid_sats(), self.price_sats());
        match self.status {
            Status::New if paid >= price => {
                self.status = Status::Processing;
                self.additional = if paid > price { Additional::PaidOver } else { Additional::None };
                vec![news("InvoiceProcessing", json!({"overPaid": paid > price}))]
            }
            Status::Processing if paid > price => {
                self.additional = Additional::PaidOver;
                Vec::new()
            }
            Status::Expired if paid >= price && self.additional != Additional::PaidLate => {
                self.additional = Additional::PaidLate;
                vec![news("InvoicePaidAfterExpiration", json!({}))]
            }
            Status::New | Status::Expired if paid > 0 && paid < price => {
                self.additional = Additional::PaidPartial;
                Vec::new()
            }
            Status::New | Status::Processing | Status::Expired | Status::Invalid | Status::Settled => Vec::new(),
        }
    }

    /// `GET …/invoices/{id}`; `base` is where the server is reached.
    pub fn to_json(&self, store: &str, base: &str) -> Value {
        let paid_minor = i128::from(self.paid_sats()) * i128::from(RATE_MINOR);
        json!({
            "id": self.id,
            "storeId": store,
            "amount": fixed(i128::from(self.minor), 2),
            "paidAmount": shortest(paid_minor, 10),
            "currency": self.currency,
            "type": "Standard",
            "checkoutLink": format!("{base}/i/{}", self.id),
            "createdTime": self.created.timestamp(),
            "expirationTime": self.expires.timestamp(),
            "monitoringExpiration": self.watched_until.timestamp(),
            "status": self.status,
            "additionalStatus": self.additional,
            "availableStatusesForManualMarking": match self.status {
                Status::Settled => json!(["Invalid"]),
                Status::Invalid => json!(["Settled"]),
                Status::New | Status::Processing | Status::Expired => json!(["Settled", "Invalid"]),
            },
            "archived": false,
            "metadata": self.metadata,
            "checkout": {
                "speedPolicy": "MediumSpeed",
                "paymentMethods": ["BTC-CHAIN", "BTC-LN"],
                "redirectURL": self.redirect_url,
                "paymentTolerance": 0.0,
            },
        })
    }

    /// `GET …/invoices/{id}/payment-methods`.
    pub fn methods(&self) -> Value {
        let due = fixed(i128::from(self.due_sats()), 8);
        let method = |way: Way| {
            let paid: Vec<&Payment> = self.payments.iter().filter(|it| it.way == way).collect();
            let sum: i64 = paid.iter().filter(|it| it.status != Confirmation::Invalid).map(|it| it.sats).sum();
            let (destination, link) = (self.destination(way), self.link(way));
            json!({
                "paymentMethodId": way.id(),
                "currency": "BTC",
                "destination": destination,
                "paymentLink": link,
                "rate": fixed(i128::from(RATE_MINOR), 2),
                "paymentMethodPaid": shortest(sum.into(), 8),
                "totalPaid": shortest(self.paid_sats().into(), 8),
                "due": due,
                "amount": fixed(i128::from(self.price_sats()), 8),
                "paymentMethodFee": "0",
                "payments": paid.iter().map(|it| it.to_json()).collect::<Vec<_>>(),
                "activated": true,
            })
        };
        json!([method(Way::Chain), method(Way::Lightning)])
    }

    fn destination(&self, way: Way) -> String {
        match way {
            Way::Chain => format!("bcrt1q{}", self.id.to_lowercase()),
            Way::Lightning => format!("lnbcrt{}n1{}", self.due_sats(), self.id.to_lowercase()),
        }
    }

    fn link(&self, way: Way) -> String {
        let destination = self.destination(way);
        match way {
            Way::Chain => format!("bitcoin:{destination}?amount={}", fixed(i128::from(self.due_sats()), 8)),
            Way::Lightning => format!("lightning:{destination}"),
        }
    }
}

impl Way {
    pub fn id(self) -> &'static str {
        match self {
            Self::Chain => "BTC-CHAIN",
            Self::Lightning => "BTC-LN",
        }
    }
}

impl Payment {
    fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "receivedDate": self.received.timestamp(),
            "value": shortest(self.sats.into(), 8),
            "fee": "0",
            "status": self.status,
            "destination": format!("bcrt1q{}", self.id.to_lowercase()),
        })
    }

    fn told(&self) -> Value {
        json!({"afterExpiration": self.after_expiration, "paymentMethodId": self.way.id(), "payment": self.to_json()})
    }
}

/// `units` / 10^`digits` with all its digits: `9.90`.
pub fn fixed(units: i128, digits: u32) -> String {
    let unit = 10_i128.pow(digits);
    format!("{}.{:0width$}", units / unit, units % unit, width = digits as usize)
}

/// The same without zeros at the end: `9.9`, `10`.
pub fn shortest(units: i128, digits: u32) -> String {
    fixed(units, digits).trim_end_matches('0').trim_end_matches('.').to_owned()
}
