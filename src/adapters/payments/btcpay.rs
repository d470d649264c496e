//! `BTCPay` Server, Greenfield v1: `{url}/api/v1/stores/{store}/invoices`, `Authorization: token {key}`. Times are unix
//! seconds, money is text.
//!
//! Invoices are read under their store: that path exists in every version, and another store's invoice is not found.
//! The key needs `btcpay.store.canviewinvoices` and `btcpay.store.cancreateinvoice`. The webhook is set up in the store
//! and points at `/webhooks/btcpay`. A refund leaves no trace in an invoice: `InvoiceRefund` is all that tells of it.

mod reading;
mod webhook;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

use self::reading::{Invoice, PaymentMethod};
use super::{
    Checkout, Event, Failure, Forged, Http, Method, Order, Status, Truth, WebhookSecrets,
    http::{Call, Reply, is_id},
};
use crate::adapters::images::Evidence;

/// As invoices, routes and settings write it.
pub const NAME: &str = "btcpay";

/// Invoices asked for at a time, and how often at most: twenty thousand in three days are not ours.
const PAGE: usize = 100;
const MAX_PAGES: usize = 200;
/// How long after its end an invoice is still watched by the server; then money in flight makes it invalid.
const MONITORING_MINUTES: u64 = 7 * 24 * 60;

/// The `settings.payments.btcpay` tree; empty = switched off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the server lives, without `/api/v1`.
    #[serde(deserialize_with = "crate::settings::url_if_any")]
    pub url: Option<Url>,
    pub store_id: String,
    pub api_key: SecretString,
    /// Several, separated by commas, while one replaces another.
    pub webhook_secret: SecretString,
}

/// A store of a server.
#[derive(Clone, Debug)]
pub struct Btcpay {
    url: Url,
    store_id: String,
    api_key: SecretString,
    webhook_secrets: WebhookSecrets,
}

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        let Some(_) = &self.url else { return Ok(()) };
        let missing = [
            ("BTCPAY_STORE_ID", !is_id(&self.store_id)),
            ("BTCPAY_API_KEY", HeaderValue::from_str(self.api_key.expose_secret()).map_or(true, |it| it.is_empty())),
            ("BTCPAY_WEBHOOK_SECRET", WebhookSecrets::new(&self.webhook_secret).is_empty()),
        ];
        match missing.into_iter().find(|(_, missing)| *missing) {
            Some((name, _)) => Err(format!("BTCPAY_URL is set, so {name} must be too")),
            None => Ok(()),
        }
    }
}

impl Btcpay {
    /// `None` if no address is set.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        Some(Self {
            url: config.url.clone()?,
            store_id: config.store_id.clone(),
            api_key: config.api_key.clone(),
            webhook_secrets: WebhookSecrets::new(&config.webhook_secret),
        })
    }

    pub(super) async fn create(&self, http: &Http, order: &Order<'_>) -> Result<Checkout, Failure> {
        let mut metadata = json!({"orderId": order.order_id, "itemDesc": order.description});
        if let Some(email) = order.buyer_email {
            metadata["buyerEmail"] = email.into();
        }
        let body = json!({
            "amount": order.price.in_words(),
            "currency": order.price.currency,
            "metadata": metadata,
            "checkout": {
                "expirationMinutes": order.expires_in.as_secs().div_ceil(60).max(1),
                "monitoringMinutes": MONITORING_MINUTES,
                "redirectURL": order.return_url.as_str(),
                "redirectAutomatically": true,
            },
        });
        let private = [self.api_key.expose_secret(), order.buyer_email.unwrap_or_default()];
        let reply = self.call(http, &["invoices"], &[], Some(body), &private).await?;
        let invoice: Invoice = parse(&reply)?;
        if invoice.order_id() != Some(order.order_id) || !self.owns(&invoice) {
            return Err(reply.garbage("the invoice that was created is not for our order"));
        }
        self.checkout(http, &invoice).await.ok_or_else(|| reply.garbage("the invoice has no address to pay at"))
    }

    pub(super) async fn find(&self, http: &Http, order_id: &str) -> Result<Option<Checkout>, Failure> {
        let private = [self.api_key.expose_secret()];
        let query = [("orderId", order_id), ("includeArchived", "true")];
        let reply = self.call(http, &["invoices"], &query, None, &private).await?;
        let all: Vec<Invoice> = parse(&reply)?;
        // Told newest first, and of equals the last one wins.
        let ours = all.into_iter().rev().filter(|it| it.order_id() == Some(order_id) && self.owns(it));
        let Some(best) = ours.max_by_key(Invoice::precedence) else { return Ok(None) };
        let checkout = self.checkout(http, &best).await;
        checkout.map(Some).ok_or_else(|| reply.garbage("the invoice has no address to pay at"))
    }

    pub(super) async fn methods(&self, http: &Http, reference: &str) -> Result<Vec<Method>, Failure> {
        Ok(self.payment_methods(http, reference).await?.iter().filter_map(PaymentMethod::offer).collect())
    }

    pub(super) async fn truth(&self, http: &Http, reference: &str) -> Result<Truth, Failure> {
        let private = [self.api_key.expose_secret()];
        known(reference)?;
        let reply = self.call(http, &["invoices", reference], &[], None, &private).await?;
        let invoice: Invoice = parse(&reply)?;
        if invoice.id != reference {
            return Err(reply.garbage("another invoice than the one asked for"));
        }
        self.judge(http, &invoice, &reply).await
    }

    pub(super) async fn recent(&self, http: &Http, since: DateTime<Utc>) -> Result<Vec<Truth>, Failure> {
        let private = [self.api_key.expose_secret()];
        let (start, take) = (since.timestamp().to_string(), PAGE.to_string());
        let mut truths: Vec<Truth> = Vec::new();
        for page in 0..MAX_PAGES {
            let skip = (page * PAGE).to_string();
            let query = [("startDate", &*start), ("skip", &*skip), ("take", &*take), ("includeArchived", "true")];
            let reply = self.call(http, &["invoices"], &query, None, &private).await?;
            let all: Vec<Invoice> = parse(&reply)?;
            for invoice in &all {
                // A new invoice moves the pages on.
                if truths.iter().all(|it| it.reference != invoice.id) {
                    truths.push(self.judge(http, invoice, &reply).await?);
                }
            }
            if all.len() < PAGE {
                return Ok(truths);
            }
        }
        let detail = format!("more than {} invoices", MAX_PAGES * PAGE);
        Err(Failure::Garbage { evidence: Evidence::new(None, &detail, &[]) })
    }

    pub(super) fn verify(&self, headers: &HeaderMap, body: &Bytes) -> Result<Event, Forged> {
        webhook::verify(&self.webhook_secrets, headers, body)
    }

    /// The invoice in our words. Its payments are fetched unless there cannot be any.
    async fn judge(&self, http: &Http, invoice: &Invoice, reply: &Reply<'_>) -> Result<Truth, Failure> {
        let methods = if invoice.is_untouched() { Vec::new() } else { self.payment_methods(http, &invoice.id).await? };
        let truth = invoice.truth(&methods, self.owns(invoice)).map_err(|what| reply.garbage(what))?;
        debug_assert!(truth.status != Status::Refunded, "BTCPay never says so");
        Ok(truth)
    }

    async fn payment_methods(&self, http: &Http, reference: &str) -> Result<Vec<PaymentMethod>, Failure> {
        let private = [self.api_key.expose_secret()];
        known(reference)?;
        parse(&self.call(http, &["invoices", reference, "payment-methods"], &[], None, &private).await?)
    }

    /// What our own page shows is asked for as well, but never in the way of the address itself.
    async fn checkout(&self, http: &Http, invoice: &Invoice) -> Option<Checkout> {
        let address = Url::parse(&invoice.checkout_link).ok()?;
        if !matches!(address.scheme(), "http" | "https") || !is_id(&invoice.id) {
            return None;
        }
        Some(Checkout {
            reference: invoice.id.clone(),
            checkout_url: address.into(),
            expires_at: DateTime::from_timestamp(invoice.expiration_time, 0),
            methods: self.methods(http, &invoice.id).await.unwrap_or_default(),
        })
    }

    fn owns(&self, invoice: &Invoice) -> bool {
        // 1.x leaves it out; what is read under our store is ours.
        invoice.store_id.as_ref().is_none_or(|it| *it == self.store_id)
    }

    async fn call<'a>(
        &self,
        http: &Http,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
        private: &'a [&'a str],
    ) -> Result<Reply<'a>, Failure> {
        let ours = |what| Failure::Refused { evidence: Evidence::new(None, what, &[]) };
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| ours("the address of BTCPay cannot carry a path"))?
            .pop_if_empty()
            .extend(["api", "v1", "stores", &self.store_id])
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut key = HeaderValue::from_str(&format!("token {}", self.api_key.expose_secret()))
            .map_err(|_| ours("the key holds characters that no header can carry"))?;
        key.set_sensitive(true);
        let creates = body.is_some();
        http.send(Call { url, headers: vec![(AUTHORIZATION, key)], body, creates, private }).await
    }
}

fn parse<T: DeserializeOwned>(reply: &Reply<'_>) -> Result<T, Failure> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| reply.garbage(&format!("not BTCPay's ({:?})", error.classify())))
}

fn known(reference: &str) -> Result<(), Failure> {
    if is_id(reference) {
        return Ok(());
    }
    Err(Failure::NotFound { evidence: Evidence::new(None, "no id of BTCPay's looks like this", &[]) })
}
