//! Resellers: gateways of the one-api family (one-api, new-api and their forks) pass `generateContent` on, and say in
//! words of their own what concerns their own accounts.
//!
//! ```text
//! {"error":{"message":"用户额度不足","type":"one_api_error","param":"","code":"insufficient_user_quota"}}
//! ```
//! The balance of a key is what `/v1/dashboard/billing/subscription` grants less what `/v1/dashboard/billing/usage` counts,
//! both asked with the key as a bearer token. Their errors come with a 200 as well.

use std::time::Duration;

use chrono::Days;
use reqwest::header::AUTHORIZATION;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use url::Url;

use super::{address, classify, header, private, retry};
use crate::adapters::images::{
    Access, Answer, Balance, CHECK_DEADLINE, Failure, Http, Refusal,
    answer::Reply,
    balance::Decimal,
    http::{Call, MAX_ERROR_BYTES},
};

/// Said of an account or a key without money. The same in every language of theirs. `insufficient_quota` is none of them:
/// it is passed on from whoever the gateway itself buys from, and its next way there may be paid for.
const FUNDS_CODES: [&str; 2] = ["insufficient_user_quota", "pre_consume_token_quota_failed"];
/// The same in words; some forks pass them on inside the vendor's shape.
pub(super) const FUNDS_WORDS: [&str; 5] =
    ["用户额度不足", "令牌额度不足", "额度已用尽", "user quota is not enough", "token quota is not enough"];
/// A key without a limit of its own is said to have a hundred million dollars.
const UNLIMITED_MICROS: i64 = 100_000_000_000_000;
/// How far back the usage is asked for. The family counts from the beginning whatever is asked; what it copied, 100 days.
const USAGE_DAYS: Days = Days::new(99);
/// Half of what somebody waits for a balance, which takes two questions.
const DEADLINE: Duration = Duration::from_secs(CHECK_DEADLINE.as_secs() / 2);

/// An error of the gateway itself. What it passes on from others (`upstream_error` and the like) is not one.
pub(super) struct Complaint<'a> {
    status: u16,
    kind: &'a str,
    code: &'a str,
    message: &'a str,
}

impl<'a> Complaint<'a> {
    /// `error` is the object under that name; `None` if no gateway of the family says such a thing.
    pub(super) fn of(error: &'a Value, status: u16) -> Option<Self> {
        let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let it = Self { status, kind: text("type"), code: text("code"), message: text("message") };
        (it.kind.ends_with("_api_error") || FUNDS_CODES.contains(&it.code)).then_some(it)
    }

    pub(super) fn sort(&self, answer: &Answer<'_>) -> Failure {
        let code = if self.code.is_empty() { String::new() } else { format!(" [{}]", self.code) };
        let evidence = answer.evidence(&format!("{}{code}: {}", self.kind, self.message));
        if self.is_out_of_funds() {
            return Failure::OutOfFunds { evidence };
        }
        match self.status {
            401 => Failure::Credential { evidence },
            403 if self.speaks_of("模型") || self.speaks_of("model") => Failure::ModelAccess { evidence },
            403 => Failure::Credential { evidence },
            404 | 410 => Failure::ModelAccess { evidence },
            429 => {
                let retry_after = retry::longest(retry::header(answer.headers, answer.now));
                Failure::RateLimited { retry_after, per_day: false, evidence }
            }
            499 | 504 | 524 => Failure::Ambiguous { evidence },
            400 | 413 | 422 => Failure::Refused { reason: Refusal::BadInput, evidence },
            // No channel for the model, a database that is away, and what comes with a 200.
            _ => Failure::Transient { evidence },
        }
    }

    fn is_out_of_funds(&self) -> bool {
        FUNDS_CODES.contains(&self.code)
            || match self.status {
                402 => true,
                200 | 401 | 403 | 429 => FUNDS_WORDS.iter().any(|it| self.speaks_of(it)),
                _ => false,
            }
    }

    fn speaks_of(&self, lower_case: &str) -> bool {
        self.message.to_ascii_lowercase().contains(lower_case)
    }
}

#[derive(Deserialize)]
struct Subscription<'a> {
    #[serde(borrow)]
    hard_limit_usd: &'a RawValue,
}

#[derive(Deserialize)]
struct Usage<'a> {
    /// In cents.
    #[serde(borrow)]
    total_usage: &'a RawValue,
}

/// What is left for the key of `access`.
pub(super) async fn balance(base: &Url, http: &Http, access: Access<'_>) -> Result<Balance, Failure> {
    let private = private(access, "");
    let granted = ask(base, http, access, "subscription", "").await?;
    let limit = amount(&granted, &private, |it: Subscription<'_>| Decimal::parse(it.hard_limit_usd.get()))?;
    if limit.shifted(6).floor() == Some(UNLIMITED_MICROS) {
        return Ok(Balance { micros: None });
    }
    let today = granted.now.date_naive();
    let since = today.checked_sub_days(USAGE_DAYS).unwrap_or(today);
    let used = ask(base, http, access, "usage", &format!("start_date={since}&end_date={today}")).await?;
    let usage = amount(&used, &private, |it: Usage<'_>| Decimal::parse(it.total_usage.get()))?;
    let Some(micros) = limit.minus(usage.shifted(-2)).and_then(|left| left.shifted(6).floor()) else {
        return Err(Failure::Transient { evidence: used.answer(&private).evidence("no amount of money") });
    };
    Ok(Balance { micros: Some(micros) })
}

async fn ask(base: &Url, http: &Http, access: Access<'_>, what: &str, query: &str) -> Result<Reply, Failure> {
    let mut url = address(base, &["v1", "dashboard", "billing", what])?;
    url.set_query((!query.is_empty()).then_some(query));
    let call = Call {
        url,
        key: (AUTHORIZATION, header(&format!("Bearer {}", access.secret.expose_secret()))?),
        body: None,
        proxy: access.proxy,
        deadline: DEADLINE,
        max_answer_bytes: MAX_ERROR_BYTES,
        private: &private(access, ""),
    };
    http.send(call).await.map_err(Failure::of_reading)
}

/// One amount out of an answer; everything else the answer can be is a failure.
fn amount<'r, T: Deserialize<'r>>(
    reply: &'r Reply,
    private: &[&str],
    read: impl FnOnce(T) -> Option<Decimal>,
) -> Result<Decimal, Failure> {
    let answer = reply.answer(private);
    if (200..300).contains(&reply.status)
        && let Some(amount) = serde_json::from_slice(&reply.body).ok().and_then(read)
    {
        return Ok(amount);
    }
    Err(classify::failed_reading(&answer).of_reading())
}
