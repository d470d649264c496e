//! A stand-in for a BTCPay Server with one store: Greenfield v1, its invoices' state machine and its webhooks.

mod api;
mod invoice;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hmac::{Hmac, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

pub(crate) use api::routes;
pub use invoice::{Additional, Confirmation, Invoice, Payment, Status, Way};
pub(crate) use invoice::{fixed, shortest};

use crate::{
    clock::Clock,
    courier::{Courier, Draft, Letter, Rules},
    host::lock,
    spoil::Troubles,
};
use invoice::News;

/// The only store.
pub const STORE_ID: &str = "SandboxStore1";
/// May do everything in it.
pub const API_KEY: &str = "sandbox-btcpay-key";
/// Deliveries are signed with it until [`Btcpay::webhook`] says otherwise.
pub const WEBHOOK_SECRET: &str = "sandbox-btcpay-secret";

/// Ten seconds, a minute, then six times ten minutes; the next delivery waits.
const RULES: Rules = {
    const TEN: Duration = Duration::from_secs(600);
    Rules {
        pauses: &[Duration::from_secs(10), Duration::from_secs(60), TEN, TEN, TEN, TEN, TEN, TEN],
        in_order: true,
        refusal_is_final: true,
    }
};

/// What a client has to be told to use the stand-in at `url`.
pub fn settings(url: &str) -> Value {
    json!({"url": url, "store_id": STORE_ID, "api_key": API_KEY, "webhook_secret": WEBHOOK_SECRET})
}

/// The server: its invoices and what happens to them. Clones share everything.
#[derive(Clone, Debug)]
pub struct Btcpay {
    state: Arc<Mutex<State>>,
    clock: Clock,
    courier: Courier,
    troubles: Troubles,
}

#[derive(Debug, Default)]
struct State {
    invoices: Vec<Invoice>,
    webhook: Option<(String, String)>,
    /// Chain payments of this age are confirmed by themselves; never when empty.
    confirm_after: Option<Duration>,
    count: u64,
}

/// How much somebody pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// What is due.
    Due,
    /// Half of what is due.
    Less,
    /// A quarter more than is due.
    More,
    /// So many satoshi.
    Sats(i64),
}

impl Btcpay {
    pub(crate) fn new(clock: Clock, confirm_after: Option<Duration>) -> Self {
        let state = State { confirm_after, ..State::default() };
        let courier = Courier::new(RULES, clock.clone());
        Self { state: Arc::new(Mutex::new(state)), clock, courier, troubles: Troubles::default() }
    }

    /// Where the store's webhook points and what signs it; an empty address = no webhook.
    pub fn webhook(&self, url: &str, secret: &str) {
        lock(&self.state).webhook = (!url.is_empty()).then(|| (url.to_owned(), secret.to_owned()));
    }

    pub fn webhook_url(&self) -> String {
        lock(&self.state).webhook.as_ref().map(|it| it.0.clone()).unwrap_or_default()
    }

    /// How webhooks are delivered, and the record of it.
    pub fn courier(&self) -> &Courier {
        &self.courier
    }

    /// How its API fails.
    pub fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    /// All invoices, the oldest first.
    pub fn invoices(&self) -> Vec<Invoice> {
        self.tick();
        lock(&self.state).invoices.clone()
    }

    pub fn invoice(&self, id: &str) -> Option<Invoice> {
        self.tick();
        lock(&self.state).invoices.iter().find(|it| it.id == id).cloned()
    }

    /// The invoices of one order.
    pub fn of_order(&self, order_id: &str) -> Vec<Invoice> {
        self.invoices().into_iter().filter(|it| it.order_id() == Some(order_id)).collect()
    }

    /// Somebody pays; on the chain it waits to be confirmed. Answers the payment's id, none without such an invoice.
    pub fn pay(&self, id: &str, way: Way, amount: Amount) -> Option<String> {
        let now = self.clock.now();
        let payment = self.number("tx");
        let made = payment.clone();
        self.change(id, move |it| {
            // An invoice of 1.x and 2.x alike asks again for what is missing; when nothing is, for the whole price.
            let due = if it.due_sats() > 0 { it.due_sats() } else { it.price_sats() };
            let sats = match amount {
                Amount::Due => due,
                Amount::Less => due / 2,
                Amount::More => due + due / 4,
                Amount::Sats(sats) => sats,
            };
            it.pay(made, way, sats, now)
        })
        .then_some(payment)
    }

    /// The blocks are found.
    pub fn confirm(&self, id: &str) -> bool {
        self.change(id, |it| it.confirm(|_| true))
    }

    /// What is not confirmed vanishes, and nobody is told.
    pub fn double_spend(&self, id: &str) -> bool {
        self.change(id, |it| {
            it.double_spend();
            Vec::new()
        })
    }

    pub fn expire(&self, id: &str) -> bool {
        let now = self.clock.now();
        self.change(id, |it| it.expire(now))
    }

    /// An operator of the server marks it settled or invalid.
    pub fn mark(&self, id: &str, settled: bool) -> bool {
        self.change(id, |it| it.mark(settled))
    }

    pub fn refund(&self, id: &str) -> bool {
        let pull_payment = self.number("pull");
        self.change(id, |it| it.refund(&pull_payment))
    }

    /// Sends a webhook of this type that is not true, signed with `secret`.
    pub fn forge(&self, id: &str, kind: &'static str, secret: &str) {
        let Some(invoice) = self.invoice(id) else { return };
        let told = json!({"manuallyMarked": false, "overPaid": false});
        let Value::Object(more) = told else { return };
        self.send(&invoice, News(kind, more), Some(secret.to_owned()));
    }

    /// What time does to the invoices.
    pub(crate) fn tick(&self) {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let age = state.confirm_after;
        let mut told = Vec::new();
        for invoice in &mut state.invoices {
            let mut news = invoice.tick(now);
            news.extend(age.map(|age| invoice.ripen(now, age)).unwrap_or_default());
            told.extend(news.into_iter().map(|it| (invoice.clone(), it)));
        }
        drop(state);
        for (invoice, news) in told {
            self.send(&invoice, news, None);
        }
    }

    pub(crate) async fn work(self) {
        loop {
            self.tick();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn add(&self, invoice: Invoice) {
        lock(&self.state).invoices.push(invoice.clone());
        self.send(&invoice, News("InvoiceCreated", Map::new()), None);
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Invoice) -> Vec<News>) -> bool {
        self.tick();
        let mut state = lock(&self.state);
        let Some(invoice) = state.invoices.iter_mut().find(|it| it.id == id) else { return false };
        let news = change(invoice);
        let invoice = invoice.clone();
        drop(state);
        for news in news {
            self.send(&invoice, news, None);
        }
        true
    }

    fn send(&self, invoice: &Invoice, News(kind, more): News, forged_with: Option<String>) {
        let original = self.number("delivery");
        let (server, invoice) = (self.clone(), invoice.clone());
        let draft: Draft = Arc::new(move |tries| {
            let (url, secret) = lock(&server.state).webhook.clone()?;
            let delivery = if tries == 0 { original.clone() } else { server.number("delivery") };
            let mut body = json!({
                "deliveryId": delivery,
                "webhookId": "SandboxHook1",
                "originalDeliveryId": original,
                "isRedelivery": tries > 0,
                "type": kind,
                "timestamp": server.clock.now().timestamp(),
                "storeId": STORE_ID,
                "invoiceId": invoice.id,
                "metadata": invoice.metadata,
            });
            if let Some(body) = body.as_object_mut() {
                body.extend(more.clone());
            }
            let body = serde_json::to_string_pretty(&body).unwrap_or_default();
            let secret = forged_with.as_ref().unwrap_or(&secret);
            let signature = ("BTCPay-Sig", format!("sha256={}", sign(secret, &body)));
            Some(Letter { url, kind: kind.to_owned(), body, signature, delivery, original: original.clone() })
        });
        self.courier.send(draft);
    }

    /// Letters and digits that begin with `what` and never come again.
    fn number(&self, what: &str) -> String {
        let mut state = lock(&self.state);
        state.count += 1;
        // Not from another life of the sandbox either: the shop remembers.
        format!("{what}{:x}x{}", self.clock.now().timestamp_micros(), state.count)
    }
}

fn sign(secret: &str, body: &str) -> String {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.chain_update(body).finalize().into_bytes().iter().map(|it| format!("{it:02x}")).collect()
}
