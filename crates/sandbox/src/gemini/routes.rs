//! The HTTP surface: generate, list, look up.

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Path, Query, State},
    http::{HeaderMap, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::{
    Fault, Gemini,
    answer::{GARBAGE, VendorError, json_response, pretty, typed},
    billing,
    fault::gateway_page,
    generate::generate,
    keys::{Params, Sent},
    models::Model,
};
use crate::host::Peer;

pub(crate) fn routes(gemini: &Gemini) -> Router {
    let api = Router::new().route("/models", get(list)).route("/models/{call}", get(look_up).post(generate));
    let resold = api.clone().nest("/dashboard/billing", billing::routes());
    Router::new().nest("/v1beta", api).nest("/v1", resold).with_state(gemini.clone())
}

type Answer = Response<Body>;

async fn list(
    State(gemini): State<Gemini>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Answer {
    if let Err(answer) = free_call(&gemini, &peer, &params, &headers).await {
        return answer;
    }
    let in_service = Model::list().filter(|(id, _)| !gemini.has_retired(id));
    let all: Vec<Value> = in_service.map(|(id, name)| describe(id, name)).collect();
    let start = params.page_token.unwrap_or(0).min(all.len());
    let end = (start + params.page_size.filter(|size| *size > 0).unwrap_or(50)).min(all.len());
    let mut body = json!({"models": all[start..end]});
    if end < all.len() {
        body["nextPageToken"] = json!(end.to_string());
    }
    json_response(200, pretty(&body))
}

async fn look_up(
    State(gemini): State<Gemini>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(model): Path<String>,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Answer {
    if let Err(answer) = free_call(&gemini, &peer, &params, &headers).await {
        return answer;
    }
    if Model::find(&model).is_none() || gemini.has_retired(&model) {
        return VendorError::model_gone(&model, "v1beta").response();
    }
    let name = Model::list().find(|(id, _)| *id == model).map_or(model.as_str(), |(_, name)| name);
    json_response(200, pretty(&describe(&model, name)))
}

fn describe(id: &str, name: &str) -> Value {
    json!({
        "name": format!("models/{id}"),
        "version": "001",
        "displayName": name,
        "description": format!("{name}, as served by the sandbox"),
        "inputTokenLimit": 65_536,
        "outputTokenLimit": 32_768,
        "supportedGenerationMethods": ["generateContent"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
    })
}

/// What stands before the calls that cost nothing: the key, and faults of the connection.
async fn free_call(gemini: &Gemini, peer: &Peer, params: &Params, headers: &HeaderMap) -> Result<(), Answer> {
    let sent = Sent::read(params, headers);
    if let Some(fault) = gemini.next_fault(&sent.key, Fault::touches_lists) {
        return Err(meet(fault, peer).await);
    }
    sent.check().map_err(|error| error.response())
}

/// What a fault does to a call that costs nothing.
pub(super) async fn meet(fault: Fault, peer: &Peer) -> Answer {
    if let Some(error) = fault.error("") {
        return error.response();
    }
    match fault {
        Fault::Hang => std::future::pending().await,
        Fault::Html { code } => typed(code, "text/html", gateway_page(code)),
        Fault::Garbage => json_response(200, GARBAGE),
        _ => {
            peer.reset();
            json_response(500, Body::empty())
        }
    }
}
