//! The same controls over HTTP, for people with curl and for other processes.

mod telegram;
mod till;

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use telegram::routes as telegram;
pub(crate) use till::{Act, routes as till};

use crate::{Fault, Gemini, MailBox, SmtpFault};

pub(crate) fn routes(gemini: &Gemini, mail: &MailBox) -> Router {
    let provider = Router::new()
        .route("/sandbox/faults", get(faults).post(set_fault).delete(heal_all))
        .route("/sandbox/faults/{key}", delete(heal))
        .route("/sandbox/calls", get(calls).delete(forget_calls))
        .route("/sandbox/latency", post(set_latency))
        .route("/sandbox/balances", post(set_balance))
        .with_state(gemini.clone());
    let post_office = Router::new()
        .route("/sandbox/mails", get(mails).delete(forget_mails))
        .route("/sandbox/smtp", post(set_smtp))
        .with_state(mail.clone());
    provider.merge(post_office)
}

#[derive(Deserialize)]
struct SetFault {
    /// `*` for every key without a fault of its own.
    key: String,
    fault: Fault,
    times: Option<u32>,
}

async fn set_fault(State(gemini): State<Gemini>, Json(it): Json<SetFault>) -> StatusCode {
    match it.times {
        Some(times) => gemini.fault_times(&it.key, it.fault, times),
        None => gemini.fault(&it.key, it.fault),
    }
    StatusCode::NO_CONTENT
}

async fn faults(State(gemini): State<Gemini>) -> Json<Value> {
    let all: Vec<Value> = gemini
        .faults()
        .into_iter()
        .map(|(key, fault, times)| json!({"key": key, "fault": fault, "times": times}))
        .collect();
    Json(json!({ "faults": all }))
}

async fn heal_all(State(gemini): State<Gemini>) -> StatusCode {
    gemini.heal_all();
    StatusCode::NO_CONTENT
}

async fn heal(State(gemini): State<Gemini>, Path(key): Path<String>) -> StatusCode {
    gemini.heal(&key);
    StatusCode::NO_CONTENT
}

async fn calls(State(gemini): State<Gemini>) -> Json<Value> {
    let calls: Vec<Value> = gemini.calls().iter().map(crate::Call::to_json).collect();
    Json(json!({ "calls": calls }))
}

async fn forget_calls(State(gemini): State<Gemini>) -> StatusCode {
    gemini.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct SetLatency {
    ms: u64,
}

async fn set_latency(State(gemini): State<Gemini>, Json(it): Json<SetLatency>) -> StatusCode {
    gemini.latency(Duration::from_millis(it.ms));
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct SetBalance {
    key: String,
    /// Millionths of a dollar.
    micros: i64,
}

async fn set_balance(State(gemini): State<Gemini>, Json(it): Json<SetBalance>) -> StatusCode {
    gemini.balance(&it.key, it.micros);
    StatusCode::NO_CONTENT
}

async fn mails(State(mail): State<MailBox>) -> Json<Value> {
    let mails: Vec<Value> = mail.messages().iter().map(crate::Mail::to_json).collect();
    Json(json!({ "mails": mails }))
}

async fn forget_mails(State(mail): State<MailBox>) -> StatusCode {
    mail.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct SetSmtp {
    fault: Option<SmtpFault>,
}

async fn set_smtp(State(mail): State<MailBox>, Json(it): Json<SetSmtp>) -> StatusCode {
    mail.fail(it.fault);
    StatusCode::NO_CONTENT
}
