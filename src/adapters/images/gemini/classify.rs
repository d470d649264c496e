use std::{borrow::Cow, time::Duration};

use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    one_api::{self, Complaint},
    retry,
};
use crate::adapters::images::{Answer, Failure, Refusal, Route, http::MAX_ERROR_BYTES};

/// The account cannot pay. Looked for in 402, 403 and 429 only: a 400 can repeat words of the person's request.
const FUNDS_MARKERS: [&str; 10] = [
    "prepayment credits are depleted",
    "credit balance is depleted",
    "monthly spending cap",
    "insufficient credit",
    "insufficient quota",
    "insufficient_quota",
    "insufficient balance",
    "insufficient funds",
    "balance is insufficient",
    "credits are insufficient",
];
/// In a 403, it is the key that is refused, whatever else the sentence names.
const KEY_MARKERS: [&str; 6] =
    ["api key", "are blocked", "denied access", "has not been used", "is disabled", "has been suspended"];
/// In a `FAILED_PRECONDITION`, the country the call comes from. Only the beginning counts.
const EGRESS_MARKERS: [&str; 2] = ["user location is not supported", "gemini api free tier is not available"];

/// `{"error":{"code":N,"message":…,"status":…,"details":[…]}}`.
struct VendorError<'a> {
    status: u16,
    name: &'a str,
    message: &'a str,
    details: &'a [Value],
}

/// Sorts an answer that is not a 2xx. Total and pure: any status, headers and bytes give a class.
///
/// A status is believed only in the vendor's own JSON shape, or in that of a reseller; without it the answer comes from
/// the proxy, or from a front end that is unwell, and condemns no key. Only a bill that comes directly is believed in any
/// shape. Funds are looked for before rate limits: both are 429.
#[must_use]
pub fn classify(answer: &Answer<'_>) -> Failure {
    // The vendor never asks for a proxy's password.
    if answer.status == 407 && answer.route != Route::Direct {
        return unrecognised(answer);
    }
    sorted(answer, |_| Some(answer.status))
}

/// Sorts a 2xx that holds an error, as some gateways send it: the code inside counts.
pub(super) fn enclosed_error(answer: &Answer<'_>) -> Failure {
    sorted(answer, |error| VendorError::code(error).filter(|code| (400..600).contains(code)))
}

/// Sorts an answer that should have held something to read, whatever its status.
pub(super) fn failed_reading(answer: &Answer<'_>) -> Failure {
    if (200..300).contains(&answer.status) { enclosed_error(answer) } else { classify(answer) }
}

/// `status` is what the vendor's error is believed to say; `None` disbelieves it.
fn sorted(answer: &Answer<'_>, status: impl FnOnce(&Value) -> Option<u16>) -> Failure {
    let value = parse(answer);
    let Some(error) = value.as_ref().and_then(object) else { return unrecognised(answer) };
    if let Some(vendors) = status(error).and_then(|status| VendorError::of(error, status)) {
        return vendors.sort(answer);
    }
    Complaint::of(error, answer.status).map_or_else(|| unrecognised(answer), |complaint| complaint.sort(answer))
}

/// Sorts an answer without the vendor's shape.
pub(super) fn unrecognised(answer: &Answer<'_>) -> Failure {
    let kind = answer.headers.get(reqwest::header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("no type");
    let cut = answer.cut.map(|cut| format!("; {}", cut.as_str())).unwrap_or_default();
    let evidence = answer.evidence(&format!("not the vendor's answer: {kind}, {} bytes{cut}", answer.body.len()));
    match (answer.route, answer.status) {
        // On these routes only the vendor's front end can say it, and it says it in HTML. No key is touched by it.
        (Route::Direct | Route::Tunnelled, 413) => Failure::Refused { reason: Refusal::BadInput, evidence },
        // Nobody stands in between who could ask for money of its own.
        (Route::Direct, 402) => Failure::OutOfFunds { evidence },
        // A front end gave up waiting for a model that runs on.
        (Route::Direct, 499 | 504 | 524) => Failure::Ambiguous { evidence },
        // Nobody but the vendor was there to say yes, so what it says yes to was made, and cannot be read.
        (Route::Direct, 200..300) if !is_json(answer.body) => Failure::Ambiguous { evidence },
        (Route::Direct, _) => Failure::Transient { evidence },
        (Route::Tunnelled, _) => Failure::ProxyFault { request_sent: true, evidence },
        // Turned away at the proxy's door, not passed on.
        (Route::Proxied, status) => {
            let turned_away = (400..500).contains(&status) && !matches!(status, 408 | 499);
            Failure::ProxyFault { request_sent: !turned_away, evidence }
        }
    }
}

fn parse(answer: &Answer<'_>) -> Option<Value> {
    // JSON that ends is whole, wherever the connection was cut after it.
    (answer.body.len() <= MAX_ERROR_BYTES).then(|| serde_json::from_slice(answer.body).ok()).flatten()
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// What stands under `error`. Some gateways wrap it in a list of one.
fn object(value: &Value) -> Option<&Value> {
    let value = match value.as_array().map(Vec::as_slice) {
        Some([one]) => one,
        Some(_) => return None,
        None => value,
    };
    value.get("error").filter(|error| error.is_object())
}

/// A field by its name, as protocol buffers write it in JSON: `quotaId`, or `quota_id` from some gateways.
fn field<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

impl<'a> VendorError<'a> {
    /// `None` if `error` is not the vendor's shape.
    fn of(error: &'a Value, status: u16) -> Option<Self> {
        let name = error.get("status").and_then(Value::as_str);
        let message = error.get("message").and_then(Value::as_str);
        if !error.get("code").is_some_and(Value::is_u64) || (name.is_none() && message.is_none()) {
            return None;
        }
        let details = error.get("details").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Some(Self { status, name: name.unwrap_or_default(), message: message.unwrap_or_default(), details })
    }

    fn code(error: &Value) -> Option<u16> {
        error.get("code")?.as_u64()?.try_into().ok()
    }

    fn sort(&self, answer: &Answer<'_>) -> Failure {
        let evidence = answer.evidence(&self.in_short());
        if self.is_out_of_funds() {
            return Failure::OutOfFunds { evidence };
        }
        match self.status {
            400 if self.blames_key() => Failure::Credential { evidence },
            // The wrong country to call from: the proxy's fault if there is one. Without one this host itself stands in
            // the wrong place and the key needs a proxy; strikes bring it before an admin in time.
            400 if self.name == "FAILED_PRECONDITION" && self.blames_egress() && answer.route != Route::Direct => {
                Failure::ProxyFault { request_sent: true, evidence }
            }
            // The state of the account, not the person's request.
            400 if self.name == "FAILED_PRECONDITION" => Failure::Transient { evidence },
            401 => Failure::Credential { evidence },
            403 if !self.blames_key() && self.speaks_of("model") => Failure::ModelAccess { evidence },
            403 => Failure::Credential { evidence },
            // The path holds nothing but the model.
            404 | 410 => Failure::ModelAccess { evidence },
            407 | 408 | 409 | 425 => Failure::Transient { evidence },
            429 => self.rate_limited(answer),
            499 | 504 | 524 => Failure::Ambiguous { evidence },
            400..=499 => Failure::Refused { reason: Refusal::BadInput, evidence },
            _ => Failure::Transient { evidence },
        }
    }

    fn rate_limited(&self, answer: &Answer<'_>) -> Failure {
        let evidence = answer.evidence(&self.in_short());
        let header = retry::header(answer.headers, answer.now);
        if self.quota_ids().any(|id| id.contains("PerDay")) {
            // The vendor's own hint is wrong here: it says "22s" about a daily quota.
            let reset = retry::until_pacific_midnight(answer.now);
            let retry_after = retry::longest([reset].into_iter().chain(header));
            return Failure::RateLimited { retry_after, per_day: true, evidence };
        }
        let delays = header.into_iter().chain(self.retry_info()).chain(retry::in_words(self.message));
        Failure::RateLimited { retry_after: retry::longest(delays), per_day: false, evidence }
    }

    fn is_out_of_funds(&self) -> bool {
        match self.status {
            402 => true,
            400 => self.has_reason("BILLING_DISABLED"),
            403 => self.has_reason("BILLING_DISABLED") || self.speaks_of_funds(),
            429 => self.speaks_of_funds() || self.has_no_free_tier(),
            _ => false,
        }
    }

    /// A free quota of zero: picture models have no free tier, so this account never pays.
    fn has_no_free_tier(&self) -> bool {
        self.violations().any(|violation| {
            let free = field(violation, "quotaId", "quota_id")
                .and_then(Value::as_str)
                .is_some_and(|id| id.ends_with("-FreeTier"));
            // A zero is left out of JSON, so its absence counts only if the sentence says it.
            free && match field(violation, "quotaValue", "quota_value") {
                Some(Value::String(value)) => value.trim() == "0",
                Some(value) => value.as_f64() == Some(0.0),
                None => self.says_limit_zero(),
            }
        })
    }

    fn says_limit_zero(&self) -> bool {
        self.message.split("limit: 0").skip(1).any(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
    }

    /// In a 400 the sentence must begin with the words: it can quote the person's request further on.
    fn blames_key(&self) -> bool {
        self.reasons().any(|reason| {
            reason.starts_with("API_KEY_") || reason == "SERVICE_DISABLED" || reason.starts_with("CONSUMER_")
        }) || match self.status {
            400 => self.begins_with("api key "),
            _ => KEY_MARKERS.iter().any(|it| self.speaks_of(it)),
        }
    }

    fn blames_egress(&self) -> bool {
        EGRESS_MARKERS.iter().any(|it| self.begins_with(it))
    }

    fn begins_with(&self, lower_case: &str) -> bool {
        self.message.get(..lower_case.len()).is_some_and(|it| it.eq_ignore_ascii_case(lower_case))
    }

    fn speaks_of_funds(&self) -> bool {
        FUNDS_MARKERS.iter().chain(&one_api::FUNDS_WORDS).any(|it| self.speaks_of(it))
    }

    fn speaks_of(&self, lower_case: &str) -> bool {
        self.message.to_ascii_lowercase().contains(lower_case)
    }

    fn has_reason(&self, reason: &str) -> bool {
        self.reasons().any(|it| it == reason)
    }

    fn reasons(&self) -> impl Iterator<Item = &'a str> {
        self.detail("ErrorInfo").filter_map(|detail| detail.get("reason")?.as_str())
    }

    fn violations(&self) -> impl Iterator<Item = &'a Value> {
        self.detail("QuotaFailure").filter_map(|detail| detail.get("violations")?.as_array()).flatten()
    }

    fn quota_ids(&self) -> impl Iterator<Item = &'a str> {
        self.violations().filter_map(|violation| field(violation, "quotaId", "quota_id")?.as_str())
    }

    fn retry_info(&self) -> impl Iterator<Item = Duration> {
        self.detail("RetryInfo")
            .filter_map(|detail| retry::duration(field(detail, "retryDelay", "retry_delay")?.as_str()?))
    }

    /// Details of `type.googleapis.com/google.rpc.{kind}`.
    fn detail(&self, kind: &'static str) -> impl Iterator<Item = &'a Value> {
        self.details.iter().filter(move |detail| {
            detail.get("@type").and_then(Value::as_str).is_some_and(|it| it.rsplit(['.', '/']).next() == Some(kind))
        })
    }

    /// For operators: the name, what it is about, the sentence.
    fn in_short(&self) -> String {
        let about = self.reasons().chain(self.quota_ids()).collect::<Vec<_>>().join(" ");
        let about = if about.is_empty() { Cow::Borrowed("") } else { Cow::Owned(format!(" [{about}]")) };
        format!("{}{about}: {}", self.name, self.message)
    }
}
