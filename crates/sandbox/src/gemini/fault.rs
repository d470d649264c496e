//! The ways the image API can fail, with the vendor's own bodies.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::VendorError;

/// What goes wrong with the calls of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// Succeeds, but takes this long instead of the usual latency.
    Latency { ms: u64 },
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and resets the connection.
    Reset,
    /// A status of the vendor's with its JSON: 500, 503, 504 …
    Status {
        #[serde(default = "unavailable")]
        code: u16,
    },
    /// 429 per minute; with `RetryInfo` and a text when a delay is given, bare otherwise.
    RateLimited {
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// 429 with nothing but a `Retry-After` header.
    RetryAfterHeader {
        #[serde(default = "half_a_minute")]
        seconds: u64,
    },
    /// 429 per day, with the misleading short `RetryInfo` of the real one.
    DailyQuota,
    /// 429: prepaid credit is used up.
    NoFunds,
    /// 402, as some gateways answer instead.
    PaymentRequired,
    /// 403 as a reseller of the one-api family says it: the account there is empty.
    NoQuota,
    /// 429: the project's monthly cap is reached.
    SpendingCap,
    /// 429: a project without billing; image models have no free tier.
    FreeTier,
    /// 401.
    Unauthenticated,
    /// 400 with reason `API_KEY_INVALID`.
    KeyInvalid,
    /// 403: the key was found in public.
    Leaked,
    /// 404: the model was retired.
    ModelGone,
    /// 400 `FAILED_PRECONDITION`: asked from a country that is not served.
    WrongCountry,
    /// 400 without any detail.
    BadRequest,
    /// 200 with `promptFeedback` and no candidate.
    RefusedPrompt,
    /// 200 with a finish reason and no picture.
    RefusedOutput {
        #[serde(default = "image_safety")]
        finish_reason: String,
    },
    /// 200, `STOP`, but only words.
    Empty,
    /// An HTML page of some gateway in between.
    Html {
        #[serde(default = "bad_gateway")]
        code: u16,
    },
    /// 200 and not JSON.
    Garbage,
    /// 200 and JSON that ends in the middle, with the connection.
    Truncated,
    /// 200 with `data` that is not base64.
    BadBase64,
    /// 200 with text behind `image/png`.
    NotAPicture,
    /// 200 with a JPEG that is called `image/png`.
    WrongMime,
    /// 200 and a body without end.
    EndlessBody,
    /// 200 and about 100 MB of JSON.
    Huge,
    /// 200, one byte per second.
    Drip,
    /// The error of `Status` wrapped in a list of one.
    ArrayError {
        #[serde(default = "unavailable")]
        code: u16,
    },
    /// 200 with a tiny PNG whose header claims 40000×40000 pixels.
    Bomb,
    /// Success with interim pictures marked `thought` before the real one.
    Thoughts,
}

fn unavailable() -> u16 {
    503
}
fn bad_gateway() -> u16 {
    502
}
fn half_a_minute() -> u64 {
    30
}
fn image_safety() -> String {
    "IMAGE_SAFETY".into()
}

const BILLING: &str = "https://ai.google.dev/gemini-api/docs/rate-limits";

impl Fault {
    /// Every kind with usual parameters, for menus and tests.
    pub fn examples() -> Vec<Self> {
        vec![
            Self::Latency { ms: 5_000 },
            Self::Hang,
            Self::Reset,
            Self::Status { code: 503 },
            Self::RateLimited { retry_after_s: Some(22) },
            Self::RetryAfterHeader { seconds: 30 },
            Self::DailyQuota,
            Self::NoFunds,
            Self::PaymentRequired,
            Self::NoQuota,
            Self::SpendingCap,
            Self::FreeTier,
            Self::Unauthenticated,
            Self::KeyInvalid,
            Self::Leaked,
            Self::ModelGone,
            Self::WrongCountry,
            Self::BadRequest,
            Self::RefusedPrompt,
            Self::RefusedOutput { finish_reason: image_safety() },
            Self::Empty,
            Self::Html { code: 502 },
            Self::Garbage,
            Self::Truncated,
            Self::BadBase64,
            Self::NotAPicture,
            Self::WrongMime,
            Self::EndlessBody,
            Self::Huge,
            Self::Drip,
            Self::ArrayError { code: 503 },
            Self::Bomb,
            Self::Thoughts,
        ]
    }

    /// The name used in JSON, such as `rate_limited`.
    pub fn kind(&self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value["kind"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Whether the model list, which costs nothing, fails as well: only the connection and the key's validity matter to it.
    pub(super) fn touches_lists(&self) -> bool {
        match self {
            Self::Hang
            | Self::Reset
            | Self::Status { .. }
            | Self::ArrayError { .. }
            | Self::Html { .. }
            | Self::Garbage
            | Self::Unauthenticated
            | Self::KeyInvalid
            | Self::Leaked
            | Self::WrongCountry => true,
            Self::Latency { .. }
            | Self::RateLimited { .. }
            | Self::RetryAfterHeader { .. }
            | Self::DailyQuota
            | Self::NoFunds
            | Self::PaymentRequired
            | Self::NoQuota
            | Self::SpendingCap
            | Self::FreeTier
            | Self::ModelGone
            | Self::BadRequest
            | Self::RefusedPrompt
            | Self::RefusedOutput { .. }
            | Self::Empty
            | Self::Truncated
            | Self::BadBase64
            | Self::NotAPicture
            | Self::WrongMime
            | Self::EndlessBody
            | Self::Huge
            | Self::Drip
            | Self::Bomb
            | Self::Thoughts => false,
        }
    }

    /// The vendor's error, for those faults that are one.
    pub(super) fn error(&self, model: &str) -> Option<VendorError> {
        let error = match self {
            Self::Status { code } => VendorError::of_status(*code),
            Self::ArrayError { code } => VendorError { in_array: true, ..VendorError::of_status(*code) },
            Self::RateLimited { retry_after_s: Some(seconds) } => rate_limited(model, *seconds),
            Self::RateLimited { retry_after_s: None } => exhausted("Resource has been exhausted (e.g. check quota)."),
            Self::RetryAfterHeader { seconds } => VendorError {
                retry_after: Some(*seconds),
                ..exhausted("Resource has been exhausted (e.g. check quota).")
            },
            Self::DailyQuota => daily_quota(model),
            Self::FreeTier => free_tier(model),
            Self::NoFunds => exhausted(
                "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage \
                 your project and billing.",
            ),
            Self::SpendingCap => exhausted(
                "Your project has exceeded its monthly spending cap. Please go to AI Studio at https://ai.studio/spend \
                 to manage your project spend cap.",
            ),
            Self::PaymentRequired => {
                VendorError::new(402, "RESOURCE_EXHAUSTED", "Payment required. Please check your billing account.")
            }
            Self::NoQuota => VendorError::no_quota(),
            Self::Unauthenticated => VendorError::unauthenticated(),
            Self::KeyInvalid => VendorError::key_invalid(),
            Self::Leaked => VendorError::new(
                403,
                "PERMISSION_DENIED",
                "Your API key was reported as leaked. Please use another API key.",
            ),
            Self::ModelGone => VendorError::model_gone(model, "v1beta"),
            Self::WrongCountry => {
                VendorError::new(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
            }
            Self::BadRequest => VendorError::invalid("Request contains an invalid argument."),
            Self::Latency { .. }
            | Self::Hang
            | Self::Reset
            | Self::RefusedPrompt
            | Self::RefusedOutput { .. }
            | Self::Empty
            | Self::Html { .. }
            | Self::Garbage
            | Self::Truncated
            | Self::BadBase64
            | Self::NotAPicture
            | Self::WrongMime
            | Self::EndlessBody
            | Self::Huge
            | Self::Drip
            | Self::Bomb
            | Self::Thoughts => return None,
        };
        Some(error)
    }
}

/// The page of a gateway that never reached the vendor.
pub(super) fn gateway_page(code: u16) -> String {
    let reason = StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    format!(
        "<html>\r\n<head><title>{code} {reason}</title></head>\r\n<body>\r\n<center><h1>{code} {reason}</h1></center>\r\n\
         <hr><center>nginx/1.24.0 (Ubuntu)</center>\r\n</body>\r\n</html>\r\n"
    )
}

fn exhausted(message: &str) -> VendorError {
    VendorError::new(429, "RESOURCE_EXHAUSTED", message)
}

fn over_quota(metrics: &[(&str, &str)], limit: u32, model: &str, delay: &str) -> VendorError {
    let lines: String = metrics
        .iter()
        .map(|(metric, _)| {
            format!("\n* Quota exceeded for metric: generativelanguage.googleapis.com/{metric}, limit: {limit}, model: {model}")
        })
        .collect();
    let violations: Vec<Value> = metrics
        .iter()
        .map(|(metric, id)| {
            let mut violation = json!({
                "quotaMetric": format!("generativelanguage.googleapis.com/{metric}"),
                "quotaId": id,
                "quotaDimensions": {"location": "global", "model": model},
            });
            // The vendor leaves zero out, as its JSON does with every default.
            if limit > 0 {
                violation["quotaValue"] = json!(limit.to_string());
            }
            violation
        })
        .collect();
    let message = format!(
        "You exceeded your current quota, please check your plan and billing details. For more information on this \
         error, head to: {BILLING}. To monitor your current usage, head to: https://ai.dev/rate-limit. {lines}\n\
         Please retry in {delay}."
    );
    VendorError {
        details: vec![
            json!({"@type": "type.googleapis.com/google.rpc.Help",
                "links": [{"description": "Learn more about Gemini API quotas", "url": BILLING}]}),
            json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}),
        ],
        ..exhausted(&message)
    }
}

fn with_retry(mut error: VendorError, delay: &str) -> VendorError {
    error.details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
    error
}

fn rate_limited(model: &str, seconds: u64) -> VendorError {
    let metrics = [("generate_requests_per_model", "GenerateRequestsPerMinutePerProjectPerModel")];
    with_retry(over_quota(&metrics, 10, model, &format!("{seconds}.4s")), &format!("{seconds}s"))
}

fn daily_quota(model: &str) -> VendorError {
    let metrics = [("generate_requests_per_model_per_day", "GenerateRequestsPerDayPerProjectPerModel")];
    with_retry(over_quota(&metrics, 250, model, "22.153861093s"), "22s")
}

fn free_tier(model: &str) -> VendorError {
    let metrics = [
        ("generate_content_free_tier_input_token_count", "GenerateContentInputTokensPerModelPerMinute-FreeTier"),
        ("generate_content_free_tier_requests", "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),
        ("generate_content_free_tier_requests", "GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
    ];
    with_retry(over_quota(&metrics, 0, model, "38.286319501s"), "38s")
}
