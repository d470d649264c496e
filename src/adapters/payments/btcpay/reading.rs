use serde::Deserialize;
use serde_json::{Number, Value};

use crate::adapters::payments::{Decimal, Method, Payment, Price, Status, Truth};

/// An invoice, as much of it as we use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invoice {
    pub id: String,
    pub store_id: Option<String>,
    amount: Option<Amount>,
    /// Since 2.1; counts money that is not confirmed yet.
    paid_amount: Option<Amount>,
    currency: String,
    pub checkout_link: String,
    created_time: i64,
    pub expiration_time: i64,
    status: State,
    #[serde(default)]
    additional_status: Exception,
    #[serde(default)]
    metadata: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum State {
    New,
    Processing,
    Expired,
    Invalid,
    Settled,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum Exception {
    #[default]
    None,
    PaidPartial,
    PaidOver,
    PaidLate,
    Marked,
    Invalid,
}

/// One way to pay an invoice, with what was paid in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentMethod {
    #[serde(alias = "paymentMethod")]
    payment_method_id: String,
    #[serde(alias = "cryptoCode")]
    currency: Option<String>,
    destination: Option<String>,
    payment_link: Option<String>,
    rate: Option<Amount>,
    due: Option<Amount>,
    #[serde(default = "yes")]
    activated: bool,
    #[serde(default)]
    payments: Vec<Received>,
}

#[derive(Deserialize)]
struct Received {
    id: String,
    value: Amount,
    fee: Option<Amount>,
    status: Confirmation,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Confirmation {
    Invalid,
    #[serde(alias = "AwaitingConfirmation")]
    Processing,
    #[serde(alias = "AwaitingCompletion", alias = "Complete")]
    Settled,
}

/// Money is text; old versions write some of it as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Amount {
    Text(String),
    Number(Number),
}

fn yes() -> bool {
    true
}

impl Amount {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }

    fn decimal(&self) -> Option<Decimal> {
        Decimal::parse(&self.text())
    }
}

impl Invoice {
    pub(super) fn order_id(&self) -> Option<&str> {
        self.metadata.get("orderId").and_then(Value::as_str)
    }

    /// Which of several invoices for one order counts: one with money, then an open one, then the newest.
    pub(super) fn precedence(&self) -> (bool, bool, i64) {
        (!self.is_untouched(), self.status == State::New, self.created_time)
    }

    /// Nothing was paid, so there are no payments to look at.
    pub(super) fn is_untouched(&self) -> bool {
        let nothing_seen = self.paid_amount.as_ref().is_none_or(|it| it.decimal() == Some(Decimal::ZERO));
        matches!(self.status, State::New | State::Expired) && self.additional_status == Exception::None && nothing_seen
    }

    /// # Errors
    /// What cannot be understood.
    pub(super) fn truth(&self, methods: &[PaymentMethod], shop_matches: bool) -> Result<Truth, &'static str> {
        let amount = self.amount.as_ref().ok_or("an invoice without an amount")?;
        let price = Price::read(&amount.text(), &self.currency).ok_or("an amount that cannot be read")?;
        let digits = Price::digits(&price.currency);
        let mut payments = Vec::new();
        let (mut confirmed, mut seen) = (Decimal::ZERO, Decimal::ZERO);
        for method in methods {
            for received in &method.payments {
                let worth = method.worth(received).ok_or("a payment that cannot be read")?;
                payments.push(Payment {
                    id: received.id.clone(),
                    status: received.status.into(),
                    minor: worth.to_minor(digits).ok_or("a payment beyond all measure")?,
                    parent: None,
                });
                if received.status != Confirmation::Invalid {
                    seen = seen.plus(worth).ok_or("payments beyond all measure")?;
                }
                if received.status == Confirmation::Settled {
                    confirmed = confirmed.plus(worth).ok_or("payments beyond all measure")?;
                }
            }
        }
        let minor = |it: Decimal| it.to_minor(digits).ok_or("payments beyond all measure");
        let (paid_minor, seen_minor) = (minor(confirmed)?, minor(seen)?);

        let late = match self.additional_status {
            Exception::PaidLate => true,
            // Too much and too late: the server has one word for both.
            Exception::PaidOver => self.status == State::Expired,
            Exception::None | Exception::PaidPartial | Exception::Marked | Exception::Invalid => false,
        };
        Ok(Truth {
            reference: self.id.clone(),
            order_id: self.order_id().map(str::to_owned),
            shop_matches,
            overpaid: self.additional_status == Exception::PaidOver || (late && seen_minor > price.minor),
            status: self.standing(paid_minor, seen_minor, price.minor),
            price: Some(price),
            paid_minor,
            seen_minor,
            redeposited_minor: 0,
            late,
            marked: self.additional_status == Exception::Marked,
            payments,
            unlisted: None,
        })
    }

    fn standing(&self, paid: i64, seen: i64, price: i64) -> Status {
        let unconfirmed = if paid > 0 { Status::Confirming } else { Status::Pending };
        match (self.status, self.additional_status) {
            // Contradicts itself: better nobody's money than everybody's.
            (State::Settled, Exception::Invalid) | (State::Invalid, _) => Status::Invalid,
            (State::Settled, _) => Status::Paid,
            (State::New | State::Expired, Exception::PaidPartial) => Status::Underpaid,
            (State::New, _) if seen == 0 => Status::New,
            (State::New | State::Processing, _) => unconfirmed,
            // It stays expired, and no settled event ever comes: only the payments tell when all is confirmed.
            (State::Expired, Exception::PaidLate | Exception::PaidOver) if paid >= price => Status::Paid,
            (State::Expired, Exception::PaidLate | Exception::PaidOver) if paid > 0 && paid == seen => {
                Status::Underpaid
            }
            (State::Expired, Exception::PaidLate | Exception::PaidOver) => unconfirmed,
            (State::Expired, Exception::None | Exception::Marked | Exception::Invalid) => Status::Expired,
        }
    }
}

impl PaymentMethod {
    /// What a payment is worth in the price's currency, without the network fee that came on top.
    fn worth(&self, received: &Received) -> Option<Decimal> {
        let fee = received.fee.as_ref().map_or(Some(Decimal::ZERO), Amount::decimal)?;
        received.value.decimal()?.minus(fee)?.times(self.rate.as_ref()?.decimal()?)
    }

    /// For our own page; `None` if it cannot be paid this way now.
    pub(super) fn offer(&self) -> Option<Method> {
        let (currency, network) = self.names();
        let due = self.due.as_ref()?;
        let destination = self.destination.clone().filter(|it| !it.is_empty())?;
        if !self.activated || due.decimal()?.is_zero() {
            return None;
        }
        let id = self.payment_method_id.clone();
        let payment_link = self.payment_link.clone().filter(|it| !it.is_empty());
        let (due, rate) = (due.text(), self.rate.as_ref().map(Amount::text));
        Some(Method { id, currency, network, due, rate, destination, payment_link })
    }

    /// `BTC-CHAIN`, `BTC-LN`, `BTC-LNURL` since 2.0; `BTC`, `BTC-LightningNetwork`, `BTC-LNURLPAY` before.
    fn names(&self) -> (String, String) {
        let (coin, way) = self.payment_method_id.split_once(['-', '_']).unwrap_or((&self.payment_method_id, "CHAIN"));
        let coin = self.currency.as_deref().unwrap_or(coin).to_owned();
        let network = match (way, coin.as_str()) {
            ("CHAIN", "BTC") => "Bitcoin".to_owned(),
            ("CHAIN", "LTC") => "Litecoin".to_owned(),
            ("CHAIN", "XMR") => "Monero".to_owned(),
            ("CHAIN", other) => other.to_owned(),
            ("LN" | "LightningNetwork" | "LightningLike", _) => "Lightning".to_owned(),
            ("LNURL" | "LNURLPAY", _) => "Lightning (LNURL)".to_owned(),
            (other, _) => other.to_owned(),
        };
        (coin, network)
    }
}

impl From<Confirmation> for Status {
    fn from(it: Confirmation) -> Self {
        match it {
            Confirmation::Invalid => Self::Invalid,
            Confirmation::Processing => Self::Pending,
            Confirmation::Settled => Self::Paid,
        }
    }
}
