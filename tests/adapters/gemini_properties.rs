//! Whatever bytes come: a class, no panic, and no key condemned by anybody but the vendor.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use nproxy::adapters::images::{Answer, Cut, Evidence, Failure, Output, Route, gemini};
use proptest::{collection::vec, prelude::*, sample::select};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};

use super::gemini_answers::rows;

const CONDEMNING: [&str; 6] = [
    "API key not valid. Please pass a valid API key.",
    "API_KEY_INVALID",
    "insufficient credits",
    "Your prepayment credits are depleted",
    "exceeded its monthly spending cap",
    "PUP_LIMITED_DISABLED",
];

#[derive(Clone, Debug)]
struct Around {
    status: u16,
    route: Route,
    cut: Option<Cut>,
    retry_after: Vec<u8>,
    seconds: i64,
}

impl Around {
    fn read(&self, body: &[u8]) -> Result<Output, Failure> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&self.retry_after) {
            headers.insert(RETRY_AFTER, value);
        }
        let now: DateTime<Utc> = DateTime::from_timestamp(self.seconds, 0).unwrap();
        let (status, cut, route) = (self.status, self.cut, self.route);
        let answer = Answer { status, headers: &headers, body, cut, route, now, private: &[] };
        let outcome = gemini::read(&answer);
        sound(&gemini::classify(&answer));
        if let Err(failure) = &outcome {
            sound(failure);
        }
        outcome
    }
}

fn sound(failure: &Failure) {
    assert!(failure.detail().chars().count() <= Evidence::DETAIL_CHARS);
    assert!(!failure.detail().contains(char::is_control), "{failure:?}");
    if let Failure::RateLimited { retry_after: Some(delay), .. } = failure {
        assert!(delay.as_secs() <= 26 * 3600);
    }
}

fn condemns(outcome: &Result<Output, Failure>) -> bool {
    matches!(outcome, Err(Failure::Credential { .. } | Failure::OutOfFunds { .. }))
}

/// The vendor's shape in other words than the code's.
fn is_vendors(body: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return false };
    let value = if value.as_array().is_some_and(|it| it.len() == 1) { value[0].clone() } else { value };
    let error = &value["error"];
    (error["code"].is_u64() && (error["message"].is_string() || error["status"].is_string()))
        || value["candidates"].is_array()
}

fn around() -> impl Strategy<Value = Around> {
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
fn wordy_json() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 30] = [
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
    ];
    let word = || prop_oneof![select(WORDS.to_vec()), select(CONDEMNING.to_vec())].prop_map(str::to_owned);
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(around in around(), body in vec(any::<u8>(), 0..300)) {
        let outcome = around.read(&body);
        prop_assert!(is_vendors(&body) || !condemns(&outcome), "{:?}", outcome);
    }

    #[test]
    fn any_json(around in around(), body in wordy_json()) {
        let body = serde_json::to_vec(&body).unwrap();
        let outcome = around.read(&body);
        prop_assert!(is_vendors(&body) || !condemns(&outcome), "{:?}", outcome);
    }

    #[test]
    fn saved_answers_damaged(
        around in around(),
        row in select(rows().into_iter().map(|row| (row.status, row.bytes())).collect::<Vec<_>>()),
        own_status in any::<bool>(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 0..6),
    ) {
        let (status, mut body) = row;
        for (at, byte, how) in damage {
            if body.is_empty() { break }
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.truncate(at),
                _ => { body.remove(at); }
            }
        }
        let around = Around { status: if own_status { status } else { around.status }, ..around };
        let outcome = around.read(&body);
        prop_assert!(is_vendors(&body) || !condemns(&outcome), "{:?}", outcome);
    }

    #[test]
    fn pages_and_foreign_json_condemn_no_key(around in around(), words in vec(select(CONDEMNING.to_vec()), 1..4), shape in 0..7) {
        let words = words.join(" ");
        let body = match shape {
            0 => format!("<!doctype html><html><body>{words}</body></html>"),
            1 => words,
            2 => json!({"error": words}).to_string(),
            3 => json!({"error": {"message": words, "type": "x", "code": "insufficient_quota"}}).to_string(),
            4 => json!({"code": 402, "msg": words}).to_string(),
            5 => json!({"detail": words}).to_string(),
            _ => json!([{"error": {"code": 401, "message": words}}, {}]).to_string(),
        };
        let outcome = around.read(body.as_bytes());
        prop_assert!(outcome.is_err() && !condemns(&outcome), "{:?}", outcome);
    }

    /// Behind a proxy a foreign answer is never the key's doing.
    #[test]
    fn proxies_strike_no_key(around in around(), body in "[^\\[{]{0,60}") {
        let outcome = Around { cut: None, ..around.clone() }.read(body.trim_start().as_bytes());
        if around.route != Route::Direct && around.status != 413 {
            prop_assert!(matches!(outcome, Err(Failure::ProxyFault { .. })), "{:?}", outcome);
        }
    }

    #[test]
    fn a_picture_comes_out_as_it_went_in(pixels in vec(any::<u8>(), 0..200), writing in 0..5, snake in any::<bool>(), drafts in 0..3usize) {
        let picture = [b"\xFF\xD8\xFF".as_slice(), &pixels].concat();
        let data = match writing {
            0 => STANDARD.encode(&picture),
            1 => STANDARD_NO_PAD.encode(&picture),
            2 => URL_SAFE.encode(&picture),
            3 => URL_SAFE_NO_PAD.encode(&picture),
            _ => STANDARD.encode(&picture).replace('/', "@slash@"),
        };
        let inline = if snake { json!({"inline_data": {"mime_type": "image/jpeg", "data": data}}) } else { json!({"inlineData": {"data": data}}) };
        let mut parts = vec![json!({"thought": true, "inlineData": {"data": "iVBORw0KGgo="}}); drafts];
        parts.push(inline);
        let body = json!({"candidates": [{"content": {"parts": parts}}]}).to_string().replace("@slash@", "\\/");
        let around = Around { status: 200, route: Route::Direct, cut: None, retry_after: Vec::new(), seconds: 0 };
        let output = around.read(body.as_bytes()).unwrap();
        prop_assert_eq!(output.bytes.as_ref(), picture.as_slice());
        prop_assert_eq!(output.mime, "image/jpeg");
    }
}
