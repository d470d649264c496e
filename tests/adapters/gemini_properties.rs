//! Whatever bytes come: a class, no panic, no secret, soon; and no key condemned by anybody but the vendor.
//!
//! A few seconds in the suite; `FUZZ_CASES=200000 bin/test --laptop adapters/gemini_properties` looks for longer.

use std::time::{Duration, Instant};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use nproxy::adapters::images::{Answer, Evidence, Failure, Output, Route, gemini};
use proptest::{collection::vec, prelude::*, sample::select};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};

use super::{
    gemini_answers::rows,
    gemini_noise::{Around, CONDEMNING, PRIVATE, around, change, echo, saved, wordy_json},
};

/// For an answer of a few kilobytes, on a machine that does other things as well.
const AT_MOST: Duration = Duration::from_secs(2);

impl Around {
    fn read(&self, body: &[u8]) -> Result<Output, Failure> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&self.retry_after) {
            headers.insert(RETRY_AFTER, value);
        }
        let now: DateTime<Utc> = DateTime::from_timestamp(self.seconds, 0).unwrap();
        let (status, cut, route) = (self.status, self.cut, self.route);
        let answer = Answer { status, headers: &headers, body, cut, route, now, private: &PRIVATE };
        let begun = Instant::now();
        let outcome = gemini::read(&answer);
        let classified = gemini::classify(&answer);
        assert!(begun.elapsed() < AT_MOST, "{:?}", begun.elapsed());
        sound(&classified);
        if let Err(failure) = &outcome {
            sound(failure);
            self.is_fair(body, failure);
        }
        outcome
    }

    /// Only the vendor's shape condemns a key or turns a person away, and what it says about keys is never said of proxies.
    fn is_fair(&self, body: &[u8], failure: &Failure) {
        match failure {
            Failure::Credential { .. } | Failure::ModelAccess { .. } => assert!(is_vendors(body), "{failure:?}"),
            Failure::OutOfFunds { .. } => assert!(is_vendors(body) || self.is_a_bill(), "{failure:?}"),
            Failure::RateLimited { .. } => assert!(is_vendors(body), "{failure:?}"),
            // The vendor's front end says in HTML that a request is too large.
            Failure::Refused { .. } => {
                assert!(is_vendors(body) || (self.status == 413 && self.route != Route::Proxied), "{failure:?}");
            }
            Failure::ProxyFault { request_sent, .. } => {
                assert_ne!(self.route, Route::Direct, "{failure:?}");
                assert!(*request_sent || self.route == Route::Proxied, "{failure:?}");
            }
            Failure::NotSent { .. } | Failure::OurFault { .. } => panic!("an answer came: {failure:?}"),
            Failure::Empty { .. } | Failure::Transient { .. } | Failure::Ambiguous { .. } => {}
        }
        // An answer can never be followed by a direct call, unless the proxy turned the request away at its door.
        assert_eq!(
            failure.may_go_direct(),
            matches!(failure, Failure::ProxyFault { request_sent: false, .. }),
            "{failure:?}"
        );
    }

    /// Directly nobody but the vendor can ask for money, whatever the shape.
    fn is_a_bill(&self) -> bool {
        (self.status, self.route) == (402, Route::Direct)
    }
}

fn sound(failure: &Failure) {
    for private in PRIVATE {
        assert!(!format!("{failure:?} {failure}").contains(private), "{failure:?}");
    }
    assert!(failure.detail().chars().count() <= Evidence::DETAIL_CHARS);
    assert!(!failure.detail().contains(char::is_control), "{failure:?}");
    if let Failure::RateLimited { retry_after: Some(delay), .. } = failure {
        assert!(delay.as_secs() <= 26 * 3600);
    }
}

fn condemns(outcome: &Result<Output, Failure>) -> bool {
    matches!(outcome, Err(Failure::Credential { .. } | Failure::OutOfFunds { .. }))
}

/// The vendor's shape, or that of a reseller, in other words than the code's.
fn is_vendors(body: &[u8]) -> bool {
    // Bytes that are no text do not hurt where nobody reads them.
    let Ok(value) = serde_json::from_str::<Value>(&String::from_utf8_lossy(body)) else { return false };
    let value = if value.as_array().is_some_and(|it| it.len() == 1) { value[0].clone() } else { value };
    let error = &value["error"];
    (error["code"].is_u64() && (error["message"].is_string() || error["status"].is_string()))
        || error["type"].as_str().is_some_and(|it| it.ends_with("_api_error"))
        || matches!(error["code"].as_str(), Some("insufficient_user_quota" | "pre_consume_token_quota_failed"))
        || value["candidates"].is_array()
        || value["promptFeedback"].is_object()
        || value["prompt_feedback"].is_object()
}

/// `FUZZ_CASES` of each, otherwise as many as take a second or two.
fn cases() -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().map_or(512, |it| it.parse().expect("FUZZ_CASES is a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    /// The saved answers with other values, more, fewer, deeper.
    #[test]
    fn saved_answers_changed(
        around in around(),
        row in select(saved()),
        own_status in any::<bool>(),
        changes in vec((0..40usize, 0..8u8, wordy_json()), 1..5),
    ) {
        let (status, mut body) = row;
        for (mut at, how, with) in changes {
            change(&mut body, &mut at, how, &with);
        }
        let around = Around { status: if own_status { status } else { around.status }, ..around };
        let body = serde_json::to_vec(&body).unwrap();
        let _ = around.read(&body);
    }

    /// The saved answers with a secret written into them.
    #[test]
    fn saved_answers_that_repeat_secrets(around in around(), row in select(saved()), secret in select(PRIVATE.to_vec())) {
        let (status, mut body) = row;
        echo(&mut body, secret);
        let _ = Around { status, ..around }.read(&serde_json::to_vec(&body).unwrap());
    }

    #[test]
    fn any_bytes(around in around(), body in vec(any::<u8>(), 0..300)) {
        let outcome = around.read(&body);
        prop_assert!(is_vendors(&body) || around.is_a_bill() || !condemns(&outcome), "{:?}", outcome);
    }

    #[test]
    fn any_json(around in around(), body in wordy_json()) {
        let body = serde_json::to_vec(&body).unwrap();
        let outcome = around.read(&body);
        prop_assert!(is_vendors(&body) || around.is_a_bill() || !condemns(&outcome), "{:?}", outcome);
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
        prop_assert!(is_vendors(&body) || around.is_a_bill() || !condemns(&outcome), "{:?}", outcome);
    }

    #[test]
    fn pages_and_foreign_json_condemn_no_key(around in around(), words in vec(select(CONDEMNING.to_vec()), 1..4), shape in 0..9) {
        let words = words.join(" ");
        let body = match shape {
            0 => format!("<!doctype html><html><body>{words}</body></html>"),
            1 => words,
            2 => json!({"error": words}).to_string(),
            3 => json!({"error": {"message": words, "type": "x", "code": "insufficient_quota"}}).to_string(),
            4 => json!({"code": 402, "msg": words}).to_string(),
            5 => json!({"detail": words}).to_string(),
            6 => json!({"error": {"message": words, "type": "upstream_error", "code": "401"}}).to_string(),
            7 => json!({"error": {"message": words, "type": "api_error"}}).to_string(),
            _ => json!([{"error": {"code": 401, "message": words}}, {}]).to_string(),
        };
        let outcome = around.read(body.as_bytes());
        prop_assert!(outcome.is_err() && (around.is_a_bill() || !condemns(&outcome)), "{:?}", outcome);
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
