//! Greenfield v1, as much of it as a shop uses.

use std::collections::HashMap;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, Response, StatusCode, header},
    middleware::{self, Next},
    response::IntoResponse,
    routing::{get, post},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{API_KEY, Additional, Btcpay, Invoice, STORE_ID, Status};
use crate::spoil::spoil;

type Answer = Response<Body>;

pub(crate) fn routes(btcpay: &Btcpay) -> Router {
    let store = Router::new()
        .route("/invoices", get(list).post(create))
        .route("/invoices/{id}", get(one))
        .route("/invoices/{id}/payment-methods", get(methods))
        .route("/invoices/{id}/status", post(mark))
        .route("/invoices/{id}/refund", post(refund));
    let api = Router::new()
        .nest("/api/v1/stores/{store}", store)
        // Since 2.4 without the store.
        .route("/api/v1/invoices/{id}", get(one))
        .route("/api/v1/invoices/{id}/payment-methods", get(methods))
        .route("/api/v1/invoices/{id}/status", post(mark))
        .route("/api/v1/invoices/{id}/refund", post(refund));
    api.layer(middleware::from_fn(guard))
        .layer(middleware::from_fn_with_state(btcpay.troubles.clone(), spoil))
        .with_state(btcpay.clone())
}

async fn guard(request: Request, next: Next) -> Answer {
    let key = request.headers().get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    if key != Some(&format!("token {API_KEY}")) {
        return problem(401, "unauthenticated", "Authentication is required for accessing this endpoint");
    }
    if let Some((store, _)) = request.uri().path().strip_prefix("/api/v1/stores/").and_then(|it| it.split_once('/'))
        && store != STORE_ID
    {
        return problem(403, "missing-permission", "Insufficient API Permissions for this store");
    }
    next.run(request).await
}

fn problem(status: u16, code: &str, message: &str) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or_default();
    (status, Json(json!({"code": code, "message": message}))).into_response()
}

fn not_found() -> Answer {
    problem(404, "invoice-not-found", "The invoice was not found")
}

fn invalid(path: &str, message: &str) -> Answer {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!([{"path": path, "message": message}]))).into_response()
}

/// Where the browser that called reaches this server.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or("127.0.0.1");
    format!("http://{host}")
}

async fn create(State(btcpay): State<Btcpay>, headers: HeaderMap, body: String) -> Answer {
    let Ok(ask) = serde_json::from_str::<Value>(&body) else {
        return problem(400, "invalid-json", "The request is not JSON");
    };
    let Some(minor) = ask["amount"].as_str().and_then(minor) else {
        return invalid("amount", "The amount should be 0 or more.");
    };
    let currency = ask["currency"].as_str().unwrap_or("USD");
    if currency.len() != 3 || !currency.bytes().all(|it| it.is_ascii_uppercase()) {
        return invalid("currency", "Invalid currency");
    }
    let checkout = &ask["checkout"];
    let minutes = |name: &str, usual: i64| checkout[name].as_i64().unwrap_or(usual);
    let (expiration, monitoring) = (minutes("expirationMinutes", 15), minutes("monitoringMinutes", 1440));
    if !(1..=60 * 24 * 24).contains(&expiration) {
        return invalid("checkout.expirationMinutes", "Expiration time should be between 1 minute and 34560 minutes");
    }
    let created = btcpay.clock.now();
    let expires = created + TimeDelta::minutes(expiration);
    let invoice = Invoice {
        id: btcpay.number("Inv"),
        minor,
        currency: currency.to_owned(),
        metadata: if ask["metadata"].is_object() { ask["metadata"].clone() } else { json!({}) },
        redirect_url: checkout["redirectURL"].as_str().map(str::to_owned),
        created,
        expires,
        watched_until: expires + TimeDelta::minutes(monitoring.max(0)),
        status: Status::New,
        additional: Additional::None,
        payments: Vec::new(),
    };
    btcpay.add(invoice.clone());
    Json(invoice.to_json(STORE_ID, &base(&headers))).into_response()
}

/// Whole minor units of a text such as `9.99`.
fn minor(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 2 || !format!("{whole}{fraction}").bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    format!("{whole}{fraction:0<2}").parse().ok()
}

async fn list(State(btcpay): State<Btcpay>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let query: Vec<(String, String)> = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.replace("%2D", "-"))))
        .collect();
    let of = |name: &str| query.iter().filter(|it| it.0 == name).map(|it| it.1.as_str()).collect::<Vec<_>>();
    let number = |name: &str| of(name).first().and_then(|it| it.parse::<i64>().ok());
    let (orders, start) = (of("orderId"), number("startDate").unwrap_or(i64::MIN));
    let mut found: Vec<Invoice> = btcpay.invoices();
    found.retain(|it| it.created.timestamp() >= start);
    found.retain(|it| orders.is_empty() || it.order_id().is_some_and(|id| orders.contains(&id)));
    // The newest first.
    found.reverse();
    let skip = usize::try_from(number("skip").unwrap_or(0)).unwrap_or(0);
    let take = usize::try_from(number("take").unwrap_or(50)).unwrap_or(50);
    let base = base(&headers);
    let page: Vec<Value> = found.iter().skip(skip).take(take).map(|it| it.to_json(STORE_ID, &base)).collect();
    Json(page).into_response()
}

/// The invoice in the path, with or without a store before it.
fn named(btcpay: &Btcpay, path: &HashMap<String, String>) -> Option<Invoice> {
    btcpay.invoice(path.get("id")?)
}

type Parameters = Path<HashMap<String, String>>;

async fn one(State(btcpay): State<Btcpay>, headers: HeaderMap, Path(path): Parameters) -> Answer {
    match named(&btcpay, &path) {
        Some(invoice) => Json(invoice.to_json(STORE_ID, &base(&headers))).into_response(),
        None => not_found(),
    }
}

async fn methods(State(btcpay): State<Btcpay>, Path(path): Parameters) -> Answer {
    match named(&btcpay, &path) {
        Some(invoice) => Json(invoice.methods()).into_response(),
        None => not_found(),
    }
}

async fn mark(State(btcpay): State<Btcpay>, headers: HeaderMap, Path(path): Parameters, body: String) -> Answer {
    let Some(invoice) = named(&btcpay, &path) else { return not_found() };
    let ask: Value = serde_json::from_str(&body).unwrap_or_default();
    let settled = match ask["status"].as_str() {
        Some("Settled") => true,
        Some("Invalid") => false,
        _ => return invalid("status", "Status can only be marked to invalid or settled within certain conditions."),
    };
    btcpay.mark(&invoice.id, settled);
    one(State(btcpay), headers, Path(path)).await
}

async fn refund(State(btcpay): State<Btcpay>, headers: HeaderMap, Path(path): Parameters) -> Answer {
    let Some(invoice) = named(&btcpay, &path) else { return not_found() };
    btcpay.refund(&invoice.id);
    let id = btcpay.number("pull");
    let link = format!("{}/i/{}", base(&headers), invoice.id);
    Json(json!({"id": id, "name": format!("Refund {}", invoice.id), "currency": invoice.currency, "viewLink": link}))
        .into_response()
}
