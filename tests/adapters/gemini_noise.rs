//! Answers that nobody has thought of, for the properties that hold of every answer.

use nproxy::adapters::images::{Cut, Route};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::gemini_answers::rows;

pub const CONDEMNING: [&str; 6] = [
    "API key not valid. Please pass a valid API key.",
    "API_KEY_INVALID",
    "insufficient credits",
    "Your prepayment credits are depleted",
    "exceeded its monthly spending cap",
    "PUP_LIMITED_DISABLED",
];

/// What the call holds that nobody may read of it afterwards.
pub const PRIVATE: [&str; 3] =
    ["AIzaSyCANARY-key-0123456789abcdefghijkl", "hunter2-canary", "a canary in the coal mine"];
/// All of an answer but its body.
#[derive(Clone, Debug)]
pub struct Around {
    pub status: u16,
    pub route: Route,
    pub cut: Option<Cut>,
    pub retry_after: Vec<u8>,
    /// When it came.
    pub seconds: i64,
}

pub fn around() -> impl Strategy<Value = Around> {
    let status = prop_oneof![
        100..600u16,
        select(vec![200, 400, 401, 402, 403, 404, 407, 413, 429, 499, 500, 503, 504]),
        any::<u16>()
    ];
    let route = select(vec![Route::Direct, Route::Proxied, Route::Tunnelled]);
    let cut = select(vec![None, None, None, Some(Cut::Deadline), Some(Cut::Broken), Some(Cut::TooLong)]);
    let retry_after = prop_oneof![
        vec(any::<u8>(), 0..40),
        "-?[0-9]{0,25}(\\.[0-9]{1,3})?(e[0-9]{1,4})?".prop_map(String::into_bytes),
        "(Mon|Sat), [0-3][0-9] (Nov|Feb) [0-9]{1,6} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] (GMT|UTC|\\+9900)"
            .prop_map(String::into_bytes),
    ];
    (status, route, cut, retry_after, -2_000_000_000..7_000_000_000i64)
        .prop_map(|(status, route, cut, retry_after, seconds)| Around { status, route, cut, retry_after, seconds })
}

/// JSON of any shape made of the vendor's words.
pub fn wordy_json() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 36] = [
        "candidates",
        "content",
        "parts",
        "inlineData",
        "inline_data",
        "data",
        "mimeType",
        "thought",
        "text",
        "finishReason",
        "promptFeedback",
        "blockReason",
        "usageMetadata",
        "promptTokenCount",
        "responseId",
        "error",
        "code",
        "message",
        "status",
        "details",
        "@type",
        "violations",
        "quotaId",
        "quotaValue",
        "retryDelay",
        "reason",
        "type.googleapis.com/google.rpc.QuotaFailure",
        "type.googleapis.com/google.rpc.RetryInfo",
        "type.googleapis.com/google.rpc.ErrorInfo",
        "RequestsPerDay-FreeTier",
        "type",
        "one_api_error",
        "insufficient_user_quota",
        "prompt_feedback",
        "block_reason",
        "retry_delay",
    ];
    let word = || {
        prop_oneof![select(WORDS.to_vec()), select(CONDEMNING.to_vec()), select(PRIVATE.to_vec())]
            .prop_map(str::to_owned)
    };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (400..600u16).prop_map(Value::from),
        word().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[0-9.]{0,30}(ms|s|m|h)?([0-9.]{0,9}s)?".prop_map(Value::from),
        Just(Value::from("iVBORw0KGgo=")),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((word(), inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// The saved answers as JSON, with their statuses.
pub fn saved() -> Vec<(u16, Value)> {
    rows().into_iter().filter_map(|row| Some((row.status, serde_json::from_slice(&row.bytes()).ok()?))).collect()
}

/// Something else at one place of `value`: `at` counts its parts in order.
pub fn change(value: &mut Value, at: &mut usize, how: u8, with: &Value) {
    if *at == 0 {
        match (how, &mut *value) {
            (0, _) => *value = Value::Null,
            (1, _) => *value = json!([value.clone()]),
            (2, Value::String(text)) => text.push_str(PRIVATE[0]),
            (3, Value::String(text)) => *text = text.to_uppercase(),
            (4, Value::Array(list)) => list.extend(list.clone()),
            (5, Value::Object(map)) => map.clear(),
            _ => *value = with.clone(),
        }
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    match value {
        Value::Array(list) => {
            for inner in list {
                if *at == usize::MAX {
                    return;
                }
                change(inner, at, how, with);
            }
        }
        Value::Object(map) => {
            for (_, inner) in map.iter_mut() {
                if *at == usize::MAX {
                    return;
                }
                change(inner, at, how, with);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Writes `secret` into every text.
pub fn echo(value: &mut Value, secret: &str) {
    match value {
        Value::String(text) => *text = format!("{text} {secret}{text}"),
        Value::Array(list) => list.iter_mut().for_each(|it| echo(it, secret)),
        Value::Object(map) => map.iter_mut().for_each(|(_, it)| echo(it, secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
