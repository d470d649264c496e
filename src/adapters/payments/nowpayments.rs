//! `NOWPayments`: `{url}/v1/…`, the key in `x-api-key`.
//!
//! An invoice (`POST /v1/invoice`, 201) has no status: payments appear with its `invoice_id` once somebody chose a coin,
//! and there may be several. `GET /v1/payment/{id}` asks for one with the key alone; the way from an invoice to its
//! payments (`GET /v1/payment/?invoiceId=`) wants a token that is had with the account's mail address and password.
//! So the invoice id is the reference, and the ids of payments are collected from notifications and earlier truths.
//! With the account set, lost notifications are found by asking; without it they are not, and while its sign-in is refused
//! the key alone tells of the payments that are known. There is no way to search for an invoice. Refunds are made by
//! people and appear as `refunded`.

mod canonical;
mod literal;
mod reading;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Number, Value, json};
use url::Url;

use self::{literal::Literal, reading::Told};
use super::{
    Checkout, Event, Evidence, Failure, Forged, Http, Order, Truth, WebhookSecrets,
    http::{Call, Reply, is_id},
};

/// As invoices, routes and settings write it.
pub const NAME: &str = "nowpayments";

const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
/// Payments asked for at a time, and how often at most.
const PAGE: usize = 100;
const MAX_PAGES: usize = 200;
/// Payments of one invoice, redeposits included: more is not a person paying.
const MAX_PAYMENTS: usize = 50;

/// The `settings.payments.nowpayments` tree; without a key switched off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API lives, without `/v1`; empty means the vendor's own, `https://api.nowpayments.io`.
    #[serde(deserialize_with = "crate::settings::url_if_any")]
    pub url: Option<Url>,
    pub api_key: SecretString,
    /// Several, separated by commas, while one replaces another.
    pub ipn_secret: SecretString,
    /// The account's sign-in, both or neither: for finding payments whose notification was lost.
    pub email: String,
    pub password: SecretString,
}

/// A merchant's account.
#[derive(Clone, Debug)]
pub struct Nowpayments {
    url: Url,
    api_key: SecretString,
    secrets: WebhookSecrets,
    account: Option<(String, SecretString)>,
}

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        let key = self.api_key.expose_secret();
        if key.is_empty() {
            return Ok(());
        }
        if HeaderValue::from_str(key).is_err() {
            return Err("NOWPAYMENTS_API_KEY holds characters that no header can carry".to_owned());
        }
        if WebhookSecrets::new(&self.ipn_secret).is_empty() {
            return Err("NOWPAYMENTS_API_KEY is set, so NOWPAYMENTS_IPN_SECRET must be too".to_owned());
        }
        if self.email.is_empty() != self.password.expose_secret().is_empty() {
            return Err("NOWPAYMENTS_EMAIL and NOWPAYMENTS_PASSWORD are set together or not at all".to_owned());
        }
        Ok(())
    }
}

impl Nowpayments {
    /// `None` if no key is set.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        if config.api_key.expose_secret().is_empty() {
            return None;
        }
        #[expect(clippy::expect_used, reason = "a constant that every test parses")]
        let vendor = || Url::parse("https://api.nowpayments.io").expect("a URL");
        Some(Self {
            url: config.url.clone().unwrap_or_else(vendor),
            api_key: config.api_key.clone(),
            secrets: WebhookSecrets::new(&config.ipn_secret),
            account: (!config.email.is_empty()).then(|| (config.email.clone(), config.password.clone())),
        })
    }

    /// The key is asked for only with the account's sign-in: nothing else of the API answers to it without a payment.
    pub(super) async fn check(&self, http: &Http) -> Result<(), Failure> {
        let private = self.private();
        self.call(http, &["status"], &[], None, None, &private).await?;
        if self.account.is_some() {
            self.sign_in(http).await?;
        }
        Ok(())
    }

    pub(super) async fn create(&self, http: &Http, order: &Order<'_>) -> Result<Checkout, Failure> {
        let ours = |what| Failure::Refused { evidence: Evidence::new(None, what, &[]) };
        let amount: Option<f64> = order.price.in_words().parse().ok();
        let amount = amount.and_then(Number::from_f64).ok_or_else(|| ours("a price that is no number"))?;
        let back = order.return_url.as_str();
        let body = json!({
            "price_amount": amount,
            "price_currency": order.price.currency.to_ascii_lowercase(),
            "order_id": order.order_id,
            "order_description": order.description,
            "ipn_callback_url": order.webhook_url.as_str(),
            "success_url": back,
            "cancel_url": back,
            "partially_paid_url": back,
            "is_fixed_rate": false,
            "is_fee_paid_by_user": false,
        });
        let private = self.private();
        let reply = self.call(http, &["invoice"], &[], Some(body), None, &private).await?;
        let value = Literal::parse(&reply.body).ok_or_else(|| reply.garbage("not the processor's JSON"))?;
        if value.text("order_id") != Some(order.order_id) {
            return Err(reply.garbage("the invoice that was created is not for our order"));
        }
        let address = value.text("invoice_url").and_then(|it| Url::parse(it).ok());
        match (value.text("id").filter(|it| is_id(it)), address) {
            (Some(id), Some(address)) if matches!(address.scheme(), "http" | "https") => Ok(Checkout {
                reference: id.to_owned(),
                checkout_url: address.into(),
                expires_at: None,
                methods: Vec::new(),
            }),
            _ => Err(reply.garbage("the invoice has no id or no address to pay at")),
        }
    }

    pub(super) async fn truth(&self, http: &Http, reference: &str, payments: &[String]) -> Result<Truth, Failure> {
        let not_found = |what| Failure::NotFound { evidence: Evidence::new(None, what, &[]) };
        if !is_id(reference) {
            return Err(not_found("no id of this processor looks like this"));
        }
        let mut waiting: BTreeSet<String> = payments.iter().filter(|it| is_id(it)).cloned().collect();
        let (mut told, unlisted) = match self.listed(http, reference).await {
            Ok(told) => (told, None),
            // Only a person mends the account, and who has paid does not wait for that. Where no payment is known nothing
            // can be said: it is asked for until the list is back.
            Err(failure @ (Failure::Unauthorized { .. } | Failure::Refused { .. })) if !waiting.is_empty() => {
                (Vec::new(), Some(failure))
            }
            Err(failure) => return Err(failure),
        };
        waiting.extend(told.iter().flat_map(|it| it.children.clone()).filter(|it| is_id(it)));
        while let Some(id) = waiting.pop_first() {
            if told.iter().any(|it| it.id == id) {
                continue;
            }
            // Ids come from notifications, and what these say decides nothing: a payment that does not exist, or belongs to
            // another invoice, must not hold up what was really paid here.
            let one = match self.payment(http, &id).await {
                Ok(one) if one.invoice.as_deref().is_none_or(|it| it == reference) => one,
                Ok(_) | Err(Failure::NotFound { .. }) => continue,
                Err(failure) => return Err(failure),
            };
            waiting.extend(one.children.iter().filter(|it| is_id(it)).cloned());
            told.push(one);
            if told.len() > MAX_PAYMENTS {
                let evidence = Evidence::new(None, "more payments than a person makes", &[]);
                return Err(Failure::Garbage { evidence });
            }
        }
        if told.iter().any(|it| it.invoice.as_deref().is_some_and(|it| it != reference)) {
            return Err(not_found("a payment belongs to another invoice"));
        }
        let truth = reading::truth(reference, &told);
        let truth = truth.map_err(|what| Failure::Garbage { evidence: Evidence::new(None, what, &[]) })?;
        Ok(Truth { unlisted, ..truth })
    }

    pub(super) async fn recent(&self, http: &Http, since: DateTime<Utc>) -> Result<Option<Vec<Truth>>, Failure> {
        let Some(token) = self.sign_in(http).await? else { return Ok(None) };
        let from = since.format("%Y-%m-%d").to_string();
        let mut invoices: BTreeMap<String, Vec<Told>> = BTreeMap::new();
        for told in self.list(http, &token, &[("dateFrom", &from)]).await? {
            if let Some(invoice) = told.invoice.clone() {
                invoices.entry(invoice).or_default().push(told);
            }
        }
        let truths = invoices.iter().map(|(reference, told)| reading::truth(reference, told));
        let truths = truths.collect::<Result<Vec<_>, _>>();
        truths.map(Some).map_err(|what| Failure::Garbage { evidence: Evidence::new(None, what, &[]) })
    }

    pub(super) fn verify(&self, headers: &HeaderMap, body: &Bytes) -> Result<Event, Forged> {
        webhook::verify(&self.secrets, headers, body)
    }

    async fn payment(&self, http: &Http, id: &str) -> Result<Told, Failure> {
        let private = self.private();
        let reply = self.call(http, &["payment", id], &[], None, None, &private).await?;
        let told = read(&reply)?;
        if told.id == id { Ok(told) } else { Err(reply.garbage("another payment than the one asked for")) }
    }

    /// The payments of an invoice as the account lists them; none if no account is set.
    async fn listed(&self, http: &Http, reference: &str) -> Result<Vec<Told>, Failure> {
        match self.sign_in(http).await? {
            Some(token) => self.list(http, &token, &[("invoiceId", reference)]).await,
            None => Ok(Vec::new()),
        }
    }

    /// All payments of a query, page by page.
    async fn list(&self, http: &Http, token: &str, query: &[(&str, &str)]) -> Result<Vec<Told>, Failure> {
        let mut private = self.private().to_vec();
        private.push(token);
        let limit = PAGE.to_string();
        let mut all: Vec<Told> = Vec::new();
        for page in 0..MAX_PAGES {
            let page = page.to_string();
            let order = [("limit", &*limit), ("page", &*page), ("sortBy", "created_at"), ("orderBy", "asc")];
            let query = [query, &order].concat();
            // The slash at the end is theirs.
            let reply = self.call(http, &["payment", ""], &query, None, Some(token), &private).await?;
            let value = Literal::parse(&reply.body).ok_or_else(|| reply.garbage("not the processor's JSON"))?;
            let Some(Literal::List(data)) = value.get("data") else { return Err(reply.garbage("not a list")) };
            for one in data {
                let told = Told::read(one).map_err(|what| reply.garbage(what))?;
                if all.iter().all(|it| it.id != told.id) {
                    all.push(told);
                }
            }
            if data.len() < PAGE {
                return Ok(all);
            }
        }
        let detail = format!("more than {} payments", MAX_PAGES * PAGE);
        Err(Failure::Garbage { evidence: Evidence::new(None, &detail, &[]) })
    }

    /// A token for five minutes; `None` if no account is set.
    async fn sign_in(&self, http: &Http) -> Result<Option<String>, Failure> {
        let Some((email, password)) = &self.account else { return Ok(None) };
        let private = self.private();
        let mut url = self.url.clone();
        extend(&mut url, &["auth"])?;
        let body = Some(json!({"email": email, "password": password.expose_secret()}));
        let reply = http.send(Call { url, headers: Vec::new(), body, creates: false, private: &private }).await?;
        let value = Literal::parse(&reply.body).ok_or_else(|| reply.garbage("not the processor's JSON"))?;
        value.text("token").map(|it| Some(it.to_owned())).ok_or_else(|| reply.garbage("no token"))
    }

    fn private(&self) -> [&str; 2] {
        [self.api_key.expose_secret(), self.account.as_ref().map_or("", |(_, password)| password.expose_secret())]
    }

    async fn call<'a>(
        &self,
        http: &Http,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
        token: Option<&str>,
        private: &'a [&'a str],
    ) -> Result<Reply<'a>, Failure> {
        let mut url = self.url.clone();
        extend(&mut url, path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let secret = |text: &str| {
            let value = HeaderValue::from_str(text).map_err(|_| {
                let what = "the key or token holds characters that no header can carry";
                Failure::Unauthorized { evidence: Evidence::new(None, what, &[]) }
            });
            value.map(|mut it| {
                it.set_sensitive(true);
                it
            })
        };
        let mut headers = vec![(KEY_HEADER, secret(self.api_key.expose_secret())?)];
        if let Some(token) = token {
            headers.push((AUTHORIZATION, secret(&format!("Bearer {token}"))?));
        }
        let creates = body.is_some();
        http.send(Call { url, headers, body, creates, private }).await
    }
}

fn extend(url: &mut Url, path: &[&str]) -> Result<(), Failure> {
    let mut segments = url.path_segments_mut().map_err(|()| Failure::Refused {
        evidence: Evidence::new(None, "the address of NOWPayments cannot carry a path", &[]),
    })?;
    segments.pop_if_empty().push("v1").extend(path);
    Ok(())
}

fn read(reply: &Reply<'_>) -> Result<Told, Failure> {
    let value = Literal::parse(&reply.body).ok_or_else(|| reply.garbage("not the processor's JSON"))?;
    Told::read(&value).map_err(|what| reply.garbage(what))
}
