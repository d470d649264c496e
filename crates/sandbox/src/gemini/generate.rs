//! A request for a picture: read, logged, judged and, unless a fault is in the way, answered.

use std::time::Instant;

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, OriginalUri, Path, Query, Request, State},
    http::{HeaderMap, Response, header},
};
use chrono::Utc;
use serde_json::Value;

use super::{
    Call, Fault, Gemini, Ticket,
    answer::{VendorError, json_response, typed},
    fault::gateway_page,
    keys::{Params, Sent},
    request::{Ask, MAX_REQUEST_BYTES, shorten},
    visit::Visit,
};
use crate::{host::Peer, proxy};

/// Beyond this a body is not even read to the end.
const MAX_READ_BYTES: usize = 2 * MAX_REQUEST_BYTES;

type Answer = Response<Body>;

/// `POST models/{model}:generateContent`.
pub(super) async fn generate(
    State(gemini): State<Gemini>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(call): Path<String>,
    Query(params): Query<Params>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Answer {
    let Some((model, "generateContent")) = call.split_once(':') else {
        return typed(404, "text/html; charset=UTF-8", "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>");
    };
    let arrived = Instant::now();
    let version = if uri.path().starts_with("/v1beta/") { "v1beta" } else { "v1" };
    let sent = Sent::read(&params, request.headers());
    let ticket = gemini.arrive(arrival(&sent, model, &peer, uri.path(), request.headers()));

    let Ok(raw) = to_bytes(request.into_body(), MAX_READ_BYTES).await else {
        ticket.answered(413);
        return typed(
            413,
            "text/html; charset=UTF-8",
            "<!DOCTYPE html><title>Error 413 (Request Entity Too Large)!!1</title>",
        );
    };
    let size = raw.len();
    let read = serde_json::from_slice::<Value>(&raw);
    drop(raw);
    let body = read.as_ref().unwrap_or(&Value::Null);
    let ask = Ask::read(body);
    note(&ticket, &ask, body);

    let visit = Visit { gemini: &gemini, model, version, ask: &ask, arrived };
    let fault = gemini.next_fault(&sent.key, |_| true);
    let fault = fault.or_else(|| gemini.refuses(&ask.prompt).then_some(Fault::RefusedPrompt));
    if let Some(fault) = &fault {
        ticket.note(|call| call.fault = Some(fault.clone()));
    }
    match fault {
        Some(Fault::Hang) => {
            let _held = ticket;
            std::future::pending().await
        }
        Some(Fault::Reset) => {
            ticket.answered(0);
            peer.reset();
            json_response(500, Body::empty())
        }
        Some(Fault::Html { code }) => {
            ticket.answered(code);
            typed(code, "text/html", gateway_page(code))
        }
        fault => {
            if let Some(error) = fault.as_ref().and_then(|fault| fault.error(model)) {
                return refuse(&ticket, &error);
            }
            let admitted = sent.check().and_then(|()| match gemini.balance_of(&sent.key) {
                Some(..=0) => Err(VendorError::no_quota()),
                Some(1..) | None => Ok(()),
            });
            let checked = match &read {
                Ok(body) => admitted.and_then(|()| visit.check(body, size)),
                Err(error) => admitted.and_then(|()| Err(not_json(error))),
            };
            match checked {
                Err(error) => refuse(&ticket, &error),
                Ok(model) => visit.answer(model, fault, ticket).await,
            }
        }
    }
}

pub(super) fn refuse(ticket: &Ticket, error: &VendorError) -> Answer {
    ticket.answered(error.code);
    error.response()
}

fn not_json(error: &serde_json::Error) -> VendorError {
    VendorError::invalid(&format!("Invalid JSON payload received. {error}"))
}

fn arrival(sent: &Sent, model: &str, peer: &Peer, path: &str, headers: &HeaderMap) -> Call {
    Call {
        id: 0,
        key: sent.key.clone(),
        model: model.into(),
        prompt: String::new(),
        aspect_ratio: None,
        image_size: None,
        inputs: Vec::new(),
        body: Value::Null,
        started_at: Utc::now(),
        finished_at: None,
        status: 0,
        fault: None,
        picture: None,
        picture_mime: None,
        picture_sha256: None,
        thumbnail: None,
        via_proxy: proxy::is_ours(peer.address)
            || headers.contains_key(header::VIA)
            || headers.contains_key("x-forwarded-for"),
        key_in_query: sent.in_query,
        path: path.into(),
        user_agent: headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned),
    }
}

fn note(ticket: &Ticket, ask: &Ask, body: &Value) {
    let mut shown = body.clone();
    shorten(&mut shown);
    ticket.note(|call| {
        call.prompt.clone_from(&ask.prompt);
        call.aspect_ratio.clone_from(&ask.aspect_ratio);
        call.image_size.clone_from(&ask.image_size);
        call.inputs.clone_from(&ask.inputs);
        call.body = shown;
    });
}
