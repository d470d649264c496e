//! The balance of a key, as gateways of the one-api family tell it: what was ever granted, and what was ever used.

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, State},
    http::{HeaderMap, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::{
    Fault, Gemini,
    answer::{VendorError, json_response, pretty},
    keys::Sent,
    routes::meet,
};
use crate::host::{Peer, lock};

/// What every key has used up before, so that a balance is a difference: 12.345678 dollars.
const USED_MICROS: i64 = 12_345_678;
const MICROS_PER_DOLLAR: f64 = 1e6;
const MICROS_PER_CENT: f64 = 1e4;
/// In dollars, for a key without a limit.
const UNLIMITED: f64 = 1e8;

type Answer = Response<Body>;

/// Below `/v1/dashboard/billing`.
pub(super) fn routes() -> Router<Gemini> {
    Router::new().route("/subscription", get(subscription)).route("/usage", get(usage))
}

async fn subscription(
    State(gemini): State<Gemini>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Answer {
    let balance = match admit(&gemini, &peer, &headers).await {
        Ok(balance) => balance,
        Err(answer) => return answer,
    };
    // As a float, because that is how the family keeps and writes it.
    let limit = balance.map_or(UNLIMITED, |micros| (micros.saturating_add(USED_MICROS)) as f64 / MICROS_PER_DOLLAR);
    told(&json!({
        "object": "billing_subscription", "has_payment_method": true, "soft_limit_usd": limit, "hard_limit_usd": limit,
        "system_hard_limit_usd": limit, "access_until": 0,
    }))
}

async fn usage(State(gemini): State<Gemini>, ConnectInfo(peer): ConnectInfo<Peer>, headers: HeaderMap) -> Answer {
    if let Err(answer) = admit(&gemini, &peer, &headers).await {
        return answer;
    }
    told(&json!({"object": "list", "total_usage": USED_MICROS as f64 / MICROS_PER_CENT}))
}

/// The balance of who asks, empty for one without a limit; or what stands in the way.
async fn admit(gemini: &Gemini, peer: &Peer, headers: &HeaderMap) -> Result<Option<i64>, Answer> {
    let sent = Sent::of_bearer(headers);
    if let Some(fault) = gemini.next_fault(&sent.key, Fault::touches_lists) {
        return Err(meet(fault, peer).await);
    }
    if !sent.is_known() {
        return Err(VendorError::of_reseller(401, "", "无效的令牌").response());
    }
    if lock(&gemini.state).balances_withheld {
        let error = VendorError::of_reseller(500, "", "record not found").body();
        return Err(json_response(200, pretty(&error)));
    }
    Ok(gemini.balance_of(&sent.key))
}

fn told(value: &Value) -> Answer {
    json_response(200, serde_json::to_vec(value).unwrap_or_default())
}
