//! The golden files: what the vendor says, word for word, and the class it belongs to; and what is said in its place by
//! proxies, front ends and resellers. One row per line of the vendor's tables and per way of answering 200 without a
//! picture, in the spellings that gateways give them. Rows come by default directly, at noon UTC on 21 November 2026.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use nproxy::adapters::images::{Answer, Failure, Output, Route, Usage, gemini};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub what: String,
    pub status: u16,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    via: Option<String>,
    #[serde(default = "noon")]
    now: DateTime<Utc>,
    /// JSON, or a string for what is not JSON.
    body: Value,
    expect: String,
    reason: Option<String>,
    per_day: Option<bool>,
    retry_after_ms: Option<u64>,
    request_sent: Option<bool>,
    mime: Option<String>,
    /// In standard base64.
    picture: Option<String>,
    /// What operators read of a failure.
    detail: Option<String>,
}

fn noon() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub fn rows() -> Vec<Row> {
    [include_str!("gemini_bodies.json"), include_str!("gemini_gateways.json")]
        .into_iter()
        .flat_map(|file| serde_json::from_str::<Vec<Row>>(file).unwrap())
        .collect()
}

impl Row {
    pub fn bytes(&self) -> Vec<u8> {
        match &self.body {
            Value::String(text) => text.clone().into_bytes(),
            body => serde_json::to_vec(body).unwrap(),
        }
    }

    fn read(&self) -> Result<Output, Failure> {
        let headers: HeaderMap = self
            .headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect();
        let route = match self.via.as_deref() {
            None => Route::Direct,
            Some("proxied") => Route::Proxied,
            Some("tunnelled") => Route::Tunnelled,
            Some(other) => panic!("{other}"),
        };
        let (status, now, body) = (self.status, self.now, self.bytes());
        gemini::read(&Answer { status, headers: &headers, body: &body, cut: None, route, now, private: &[] })
    }
}

/// F34, F39, F41.
#[test]
fn every_answer_has_its_class() {
    let mut wrong = Vec::new();
    for row in rows() {
        let outcome = row.read();
        let class = outcome.as_ref().map_or_else(Failure::class, |_| Output::CLASS);
        let fits = class == row.expect
            && match &outcome {
                Ok(output) => {
                    Some(output.mime) == row.mime.as_deref() && Some(STANDARD.encode(&output.bytes)) == row.picture
                }
                Err(Failure::Refused { reason, .. }) => Some(reason.as_str()) == row.reason.as_deref(),
                Err(Failure::RateLimited { retry_after, per_day, .. }) => {
                    *retry_after == row.retry_after_ms.map(Duration::from_millis) && Some(*per_day) == row.per_day
                }
                Err(Failure::ProxyFault { request_sent, .. }) => Some(*request_sent) == row.request_sent,
                Err(failure) => row.reason.is_none() && failure.http_status() == Some(row.status),
            };
        let detail = outcome.as_ref().err().map(Failure::detail);
        let fits = fits && detail == row.detail.as_deref();
        if !fits {
            wrong.push(format!("{}: wanted {}, got {outcome:?}", row.what, row.expect));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A row of the tables is found again by its name.
#[test]
fn every_row_has_a_name_of_its_own() {
    let mut names: Vec<String> = rows().into_iter().map(|row| row.what).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn usage_counts_thinking_as_output() {
    let output = rows().remove(0).read().unwrap();
    assert_eq!(output.usage, Usage { prompt_tokens: 9, output_tokens: 1200 });
    assert_eq!(output.response_id.as_deref(), Some("r-1"));
}

#[test]
fn a_picture_of_more_than_32_mib_is_not_taken() {
    let read = |bytes: usize| {
        // The twelve characters of a PNG's beginning, then zeros.
        let data = format!("iVBORw0KGgoA{}", "A".repeat(bytes / 3 * 4 - 12));
        let body = format!(r#"{{"candidates":[{{"content":{{"parts":[{{"inlineData":{{"data":"{data}"}}}}]}}}}]}}"#);
        let (headers, now) = (HeaderMap::new(), noon());
        let (body, route) = (body.as_bytes(), Route::Direct);
        gemini::read(&Answer { status: 200, headers: &headers, body, cut: None, route, now, private: &[] })
    };
    assert_eq!(read(3 << 18).unwrap().bytes.len(), 3 << 18);
    let outcome = read((32 << 20) / 3 * 3 + 3);
    assert!(matches!(outcome, Err(Failure::Ambiguous { .. })), "{outcome:?}");
}

/// What the key pool does next follows from the class alone.
#[test]
fn what_a_class_means_for_the_key() {
    for row in rows() {
        let Err(failure) = row.read() else { continue };
        let strike = matches!(failure.class(), "transient" | "not_sent" | "ambiguous");
        assert_eq!(failure.is_strike(), strike, "{}", row.what);
        assert_eq!(failure.is_retryable(), failure.class() != "refused", "{}", row.what);
        assert_eq!(failure.may_go_direct(), row.request_sent == Some(false), "{}", row.what);
        let turned_away = (300..500).contains(&row.status) && !matches!(row.status, 408 | 499);
        let may_have_run = failure.class() == "ambiguous" || (row.request_sent == Some(true) && !turned_away);
        assert_eq!(failure.may_have_run(), may_have_run, "{}", row.what);
    }
}
