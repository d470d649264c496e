//! `/v1`, as much of it as a shop uses.

use std::collections::HashMap;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, Response, StatusCode, header},
    middleware::{self, Next},
    response::IntoResponse,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{API_KEY, EMAIL, NowInvoice, Nowpayments, PASSWORD};
use crate::spoil::spoil;

/// What the sign-in gives; the real one's lives for five minutes.
const TOKEN: &str = "sandbox.merchant.token";

type Answer = Response<Body>;

pub(crate) fn routes(nowpayments: &Nowpayments) -> Router {
    let api = Router::new()
        .route("/v1/invoice", post(create))
        .route("/v1/payment/{id}", get(one))
        .route("/v1/payment/", get(list))
        .layer(middleware::from_fn(guard));
    api.route("/v1/auth", post(sign_in))
        .route("/v1/status", get(async || Json(json!({"message": "OK"}))))
        .layer(middleware::from_fn_with_state(nowpayments.troubles.clone(), spoil))
        .with_state(nowpayments.clone())
}

async fn guard(request: Request, next: Next) -> Answer {
    if request.headers().get("x-api-key").is_none_or(|it| it != API_KEY) {
        return problem(403, "INVALID_API_KEY", "Invalid api key");
    }
    next.run(request).await
}

fn problem(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"status": false, "statusCode": status, "code": code, "message": message});
    (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response()
}

fn json_text(status: StatusCode, body: String) -> Answer {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

async fn sign_in(Json(it): Json<Value>) -> Answer {
    if it["email"] != EMAIL || it["password"] != PASSWORD {
        return problem(403, "ACCESS_DENIED", "Wrong email or password");
    }
    Json(json!({"token": TOKEN})).into_response()
}

async fn create(State(merchant): State<Nowpayments>, headers: HeaderMap, body: String) -> Answer {
    let Ok(ask) = serde_json::from_str::<Value>(&body) else {
        return problem(400, "BAD_REQUEST", "Unexpected token in JSON");
    };
    let minor = ask["price_amount"].as_f64().map(|it| (it * 100.0).round() as i64).filter(|it| *it > 0);
    let Some(minor) = minor else {
        return problem(400, "INVALID_REQUEST_PARAMS", "price_amount must be a number");
    };
    let Some(currency) = ask["price_currency"].as_str() else {
        return problem(400, "INVALID_REQUEST_PARAMS", "price_currency is required");
    };
    let text = |name: &str| ask[name].as_str().map(str::to_owned);
    let invoice = NowInvoice {
        id: merchant.number(),
        minor,
        currency: currency.to_owned(),
        order_id: text("order_id"),
        description: text("order_description").unwrap_or_default(),
        ipn_url: text("ipn_callback_url"),
        success_url: text("success_url"),
        cancel_url: text("cancel_url"),
        created: merchant.clock.now().to_rfc3339(),
    };
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or("127.0.0.1");
    let answer = json!({
        "id": invoice.id.to_string(),
        "token_id": "1",
        "order_id": invoice.order_id,
        "order_description": invoice.description,
        "price_amount": crate::btcpay::shortest(minor.into(), 2),
        "price_currency": currency.to_uppercase(),
        "pay_currency": null,
        "ipn_callback_url": invoice.ipn_url,
        "invoice_url": format!("http://{host}/payment/?iid={}", invoice.id),
        "success_url": invoice.success_url,
        "cancel_url": invoice.cancel_url,
        "partially_paid_url": ask["partially_paid_url"],
        "payout_currency": null,
        "created_at": invoice.created,
        "updated_at": invoice.created,
        "is_fixed_rate": ask["is_fixed_rate"],
        "is_fee_paid_by_user": ask["is_fee_paid_by_user"],
    });
    super::lock(&merchant.state).invoices.push(invoice);
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn one(State(merchant): State<Nowpayments>, Path(id): Path<String>) -> Answer {
    let payment = id.parse().ok().and_then(|id| merchant.payment(id));
    let Some(payment) = payment else { return problem(404, "NOT_FOUND", "Payment not found") };
    match merchant.invoice(payment.invoice) {
        Some(invoice) => json_text(StatusCode::OK, payment.answer(&invoice)),
        None => problem(404, "NOT_FOUND", "Payment not found"),
    }
}

async fn list(
    State(merchant): State<Nowpayments>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    if headers.get(header::AUTHORIZATION).is_none_or(|it| it != format!("Bearer {TOKEN}").as_str()) {
        return problem(401, "UNAUTHORIZED", "Authorization header is empty (Bearer JWTtoken is required)");
    }
    let number = |name: &str| query.get(name).and_then(|it| it.parse::<usize>().ok());
    let (limit, page) = (number("limit").unwrap_or(10).clamp(1, 500), number("page").unwrap_or(0));
    let invoice = query.get("invoiceId").and_then(|it| it.parse::<u64>().ok());
    let from = query.get("dateFrom");
    let mut found = Vec::new();
    for of in merchant.invoices().iter().filter(|it| invoice.is_none_or(|id| id == it.id)) {
        let payments = merchant.payments(of.id);
        let since = payments.iter().filter(|it| from.is_none_or(|from| it.created.as_str() >= from.as_str()));
        found.extend(since.map(|it| (it.created_at, it.answer(of))));
    }
    found.sort_by_key(|it| it.0);
    let pages = found.len().div_ceil(limit);
    let data: Vec<String> = found.iter().skip(page * limit).take(limit).map(|it| it.1.clone()).collect();
    let body = format!(
        "{{\"data\":[{}],\"limit\":{limit},\"page\":{page},\"pagesCount\":{pages},\"total\":{}}}",
        data.join(","),
        found.len()
    );
    json_text(StatusCode::OK, body)
}
