//! A stand-in for NOWPayments: invoices, their payments' state machine and its notifications.

mod api;
mod payment;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::TimeDelta;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha512;

pub(crate) use api::routes;
pub use payment::{NowInvoice, NowPayment, PaymentStatus};

use crate::{
    btcpay::Amount,
    clock::Clock,
    courier::{Courier, Draft, Letter, Rules},
    host::lock,
    spoil::Troubles,
};
use payment::Field;

/// The merchant's key.
pub const API_KEY: &str = "SANDBOX-NOWPAYMENTS-KEY";
/// Notifications are signed with it until [`Nowpayments::ipn_secret`] says otherwise.
pub const IPN_SECRET: &str = "sandbox-ipn-secret";
/// The merchant's sign-in, for the list of payments.
pub const EMAIL: &str = "merchant@sandbox.localhost";
pub const PASSWORD: &str = "sandbox-merchant";

/// "Recurrent notifications", as a merchant would set them: three more, a minute apart.
const RULES: Rules = {
    const MINUTE: Duration = Duration::from_secs(60);
    Rules { pauses: &[MINUTE, MINUTE, MINUTE], in_order: false, refusal_is_final: false }
};
/// A payment without a deposit ends after this.
const LIFE: TimeDelta = TimeDelta::days(7);

/// What a client has to be told to use the stand-in at `url`.
pub fn settings(url: &str) -> Value {
    json!({"url": url, "api_key": API_KEY, "ipn_secret": IPN_SECRET, "email": EMAIL, "password": PASSWORD})
}

/// The merchant's account: invoices, payments and what happens to them. Clones share everything.
#[derive(Clone, Debug)]
pub struct Nowpayments {
    state: Arc<Mutex<State>>,
    clock: Clock,
    courier: Courier,
    troubles: Troubles,
}

#[derive(Debug)]
struct State {
    invoices: Vec<NowInvoice>,
    payments: Vec<NowPayment>,
    ipn_secret: String,
    /// A payment takes its next step by itself at this age; never when empty.
    step_after: Option<Duration>,
    count: u64,
}

impl Nowpayments {
    pub(crate) fn new(clock: Clock, step_after: Option<Duration>) -> Self {
        let state = State {
            invoices: Vec::new(),
            payments: Vec::new(),
            ipn_secret: IPN_SECRET.to_owned(),
            step_after,
            count: 0,
        };
        let courier = Courier::new(RULES, clock.clone());
        Self { state: Arc::new(Mutex::new(state)), clock, courier, troubles: Troubles::default() }
    }

    /// What signs notifications; none are sent without one.
    pub fn ipn_secret(&self, secret: &str) {
        secret.clone_into(&mut lock(&self.state).ipn_secret);
    }

    /// How notifications are delivered, and the record of it.
    pub fn courier(&self) -> &Courier {
        &self.courier
    }

    /// How its API fails.
    pub fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    /// All invoices, the oldest first.
    pub fn invoices(&self) -> Vec<NowInvoice> {
        lock(&self.state).invoices.clone()
    }

    pub fn invoice(&self, id: u64) -> Option<NowInvoice> {
        self.invoices().into_iter().find(|it| it.id == id)
    }

    /// The invoices of one order.
    pub fn of_order(&self, order_id: &str) -> Vec<NowInvoice> {
        self.invoices().into_iter().filter(|it| it.order_id.as_deref() == Some(order_id)).collect()
    }

    /// The payments of an invoice, redeposits included, the oldest first.
    pub fn payments(&self, invoice: u64) -> Vec<NowPayment> {
        self.tick();
        lock(&self.state).payments.iter().filter(|it| it.invoice == invoice).cloned().collect()
    }

    pub fn payment(&self, id: u64) -> Option<NowPayment> {
        self.tick();
        lock(&self.state).payments.iter().find(|it| it.id == id).cloned()
    }

    /// Somebody chooses a coin on the checkout page. Answers the payment's id, none without such an invoice.
    pub fn choose(&self, invoice: u64) -> Option<u64> {
        let of = self.invoice(invoice)?;
        Some(self.begin(&of, of.price_sats(), 0, PaymentStatus::Waiting, None))
    }

    /// Coins appear at the payment's address. A payment that has ended takes no more: they become a redeposit of
    /// their own, whose id is answered.
    pub fn pay(&self, payment: u64, amount: Amount) -> Option<u64> {
        let it = self.payment(payment)?;
        let due = if it.due_sats() > 0 { it.due_sats() } else { it.asked_sats };
        let sats = match amount {
            Amount::Due => due,
            Amount::Less => due / 2,
            Amount::More => due + due / 4,
            Amount::Sats(sats) => sats,
        };
        if matches!(it.status, PaymentStatus::Waiting | PaymentStatus::Confirming) {
            self.change(payment, |it| {
                it.paid_sats += sats;
                it.status = PaymentStatus::Confirming;
            });
            return Some(payment);
        }
        let of = self.invoice(it.invoice)?;
        let child = self.begin(&of, sats, sats, PaymentStatus::Confirming, Some(payment));
        self.amend(payment, |it| it.children.push(child));
        Some(child)
    }

    /// One step towards the end, if there is one.
    pub fn step(&self, payment: u64) -> bool {
        self.payment(payment).is_some_and(|it| it.next() != it.status && self.become_(payment, it.next()))
    }

    /// All steps to the end.
    pub fn finish(&self, payment: u64) {
        while self.step(payment) {}
    }

    /// Sets a state that does not come by itself: expired, failed, refunded, cancelled.
    pub fn become_(&self, payment: u64, status: PaymentStatus) -> bool {
        self.change(payment, |it| it.status = status)
    }

    /// Sends a notification that claims this state, signed with `secret`.
    pub fn forge(&self, payment: u64, status: PaymentStatus, secret: &str) {
        if let Some(mut it) = self.payment(payment) {
            it.status = status;
            self.notify(&it, Some(secret.to_owned()));
        }
    }

    /// What time does to the payments.
    pub(crate) fn tick(&self) {
        let now = self.clock.now().timestamp_micros();
        let mut told = Vec::new();
        let mut state = lock(&self.state);
        let age = state.step_after.and_then(|it| i64::try_from(it.as_micros()).ok());
        for payment in &mut state.payments {
            let before = payment.status;
            let life = LIFE.num_microseconds().unwrap_or(i64::MAX);
            if before == PaymentStatus::Waiting && now - payment.created_at >= life {
                payment.status = PaymentStatus::Expired;
            } else if age.is_some_and(|age| now - payment.changed_at >= age) {
                payment.status = payment.next();
            }
            if payment.status != before {
                payment.changed_at = now;
                told.push(payment.clone());
            }
        }
        drop(state);
        for payment in told {
            self.notify(&payment, None);
        }
    }

    pub(crate) async fn work(self) {
        loop {
            self.tick();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn begin(&self, of: &NowInvoice, asked: i64, paid: i64, status: PaymentStatus, parent: Option<u64>) -> u64 {
        let (id, purchase) = (self.number(), self.number());
        let now = self.clock.now();
        // The price of a redeposit is what it is worth when it comes.
        let worth = i128::from(of.minor) * i128::from(asked) / i128::from(of.price_sats().max(1));
        let payment = NowPayment {
            id,
            invoice: of.id,
            purchase,
            parent,
            children: Vec::new(),
            status,
            price_minor: if parent.is_some() { i64::try_from(worth).unwrap_or(i64::MAX) } else { of.minor },
            currency: of.currency.clone(),
            asked_sats: asked,
            paid_sats: paid,
            created_at: now.timestamp_micros(),
            changed_at: now.timestamp_micros(),
            created: now.to_rfc3339(),
        };
        lock(&self.state).payments.push(payment.clone());
        self.notify(&payment, None);
        id
    }

    fn change(&self, payment: u64, change: impl FnOnce(&mut NowPayment)) -> bool {
        let now = self.clock.now().timestamp_micros();
        let changed = self.amend(payment, |it| {
            change(it);
            it.changed_at = now;
        });
        changed.inspect(|it| self.notify(it, None)).is_some()
    }

    fn amend(&self, payment: u64, change: impl FnOnce(&mut NowPayment)) -> Option<NowPayment> {
        let mut state = lock(&self.state);
        let it = state.payments.iter_mut().find(|it| it.id == payment)?;
        change(it);
        Some(it.clone())
    }

    fn notify(&self, payment: &NowPayment, forged_with: Option<String>) {
        let Some(invoice) = self.invoice(payment.invoice) else { return };
        let Some(url) = invoice.ipn_url.clone() else { return };
        let (merchant, payment) = (self.clone(), payment.clone());
        let draft: Draft = Arc::new(move |_| {
            let secret = forged_with.clone().unwrap_or_else(|| lock(&merchant.state).ipn_secret.clone());
            if secret.is_empty() {
                return None;
            }
            let mut fields = payment.fields(&invoice);
            let body = join(fields.iter().map(|Field(name, raw, _)| (*name, raw)));
            fields.sort_by_key(|it| it.0);
            let signed = join(fields.iter().map(|Field(name, _, sorted)| (*name, sorted)));
            let kind = payment.status.as_str().to_owned();
            let original = format!("{}:{kind}", payment.id);
            let signature = ("x-nowpayments-sig", sign(&secret, &signed));
            Some(Letter { url: url.clone(), kind, body, signature, delivery: original.clone(), original })
        });
        self.courier.send(draft);
    }

    /// Ten digits that never come again.
    fn number(&self) -> u64 {
        let mut state = lock(&self.state);
        state.count += 1;
        let started = u64::try_from(self.clock.now().timestamp_micros() / 1_000).unwrap_or_default();
        started * 1_000 + state.count % 1_000
    }
}

fn join<'a>(fields: impl Iterator<Item = (&'a str, &'a String)>) -> String {
    format!("{{{}}}", fields.map(|(name, json)| format!("\"{name}\":{json}")).collect::<Vec<_>>().join(","))
}

fn sign(secret: &str, body: &str) -> String {
    let Ok(mac) = Hmac::<Sha512>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.chain_update(body).finalize().into_bytes().iter().map(|it| format!("{it:02x}")).collect()
}
