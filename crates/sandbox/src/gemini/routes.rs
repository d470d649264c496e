//! The HTTP surface: generate, list, look up.

use std::time::{Duration, Instant};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Path, Query, Request, State},
    http::{HeaderMap, Response, header},
    routing::get,
};
use bytes::Bytes;
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Call, Fault, Gemini, Ticket,
    answer::{Inline, Success, VendorError, json_response, pretty, refused_output, refused_prompt, typed},
    body,
    fault::gateway_page,
    models::{Model, nearest, pixels},
    request::{Ask, MAX_REQUEST_BYTES, UNREADABLE_INPUT, hex, shorten},
};
use crate::{
    host::Peer,
    paint::{self, Format, Order},
    proxy,
};

/// Beyond this a body is not even read to the end.
const MAX_READ_BYTES: usize = 2 * MAX_REQUEST_BYTES;

pub(crate) fn routes(gemini: &Gemini) -> Router {
    Router::new()
        .route("/v1beta/models", get(list_beta))
        .route("/v1/models", get(list_stable))
        .route("/v1beta/models/{call}", get(look_up).post(generate_beta))
        .route("/v1/models/{call}", get(look_up).post(generate_stable))
        .with_state(gemini.clone())
}

#[derive(Debug, Default, Deserialize)]
struct Params {
    key: Option<String>,
    #[serde(rename = "pageSize", alias = "page_size")]
    page_size: Option<usize>,
    #[serde(rename = "pageToken", alias = "page_token")]
    page_token: Option<usize>,
}

type Answer = Response<Body>;

async fn list_beta(
    gemini: State<Gemini>,
    peer: ConnectInfo<Peer>,
    params: Query<Params>,
    headers: HeaderMap,
) -> Answer {
    list(gemini, peer, params, headers).await
}

async fn list_stable(
    gemini: State<Gemini>,
    peer: ConnectInfo<Peer>,
    params: Query<Params>,
    headers: HeaderMap,
) -> Answer {
    list(gemini, peer, params, headers).await
}

async fn list(
    State(gemini): State<Gemini>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Answer {
    if let Err(answer) = free_call(&gemini, &peer, &params, &headers).await {
        return answer;
    }
    let all: Vec<Value> = Model::list().map(|(id, name)| describe(id, name)).collect();
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
    if Model::find(&model).is_none() {
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
        if let Some(error) = fault.error("") {
            return Err(error.response());
        }
        return Err(match fault {
            Fault::Hang => std::future::pending().await,
            Fault::Html { code } => typed(code, "text/html", gateway_page(code)),
            Fault::Garbage => json_response(200, GARBAGE),
            _ => {
                peer.reset();
                json_response(500, Body::empty())
            }
        });
    }
    sent.check().map_err(|error| error.response())
}

const GARBAGE: &str = "<<not json>> \u{0} upstream said something else";

/// The key of a request, from wherever it came.
struct Sent {
    key: String,
    in_query: bool,
    bearer: bool,
}

impl Sent {
    fn read(params: &Params, headers: &HeaderMap) -> Self {
        let header = headers.get("x-goog-api-key").and_then(|value| value.to_str().ok()).map(str::trim);
        Self {
            key: header.or(params.key.as_deref()).unwrap_or_default().to_owned(),
            in_query: header.is_none() && params.key.is_some(),
            bearer: headers.contains_key(header::AUTHORIZATION),
        }
    }

    fn check(&self) -> Result<(), VendorError> {
        match self.key.as_str() {
            "" if self.bearer => Err(VendorError::unauthenticated()),
            "" => Err(VendorError::no_key()),
            key if key.starts_with("sandbox-") || key.starts_with("AIza") => Ok(()),
            _ => Err(VendorError::key_invalid()),
        }
    }
}

async fn generate_beta(
    gemini: State<Gemini>,
    peer: ConnectInfo<Peer>,
    call: Path<String>,
    params: Query<Params>,
    request: Request,
) -> Answer {
    generate(gemini, peer, call, params, "v1beta", request).await
}

async fn generate_stable(
    gemini: State<Gemini>,
    peer: ConnectInfo<Peer>,
    call: Path<String>,
    params: Query<Params>,
    request: Request,
) -> Answer {
    generate(gemini, peer, call, params, "v1", request).await
}

async fn generate(
    State(gemini): State<Gemini>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(call): Path<String>,
    Query(params): Query<Params>,
    version: &'static str,
    request: Request,
) -> Answer {
    let Some((model, "generateContent")) = call.split_once(':') else {
        return typed(404, "text/html; charset=UTF-8", "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>");
    };
    let arrived = Instant::now();
    let sent = Sent::read(&params, request.headers());
    let ticket = gemini.arrive(arrival(&sent, model, &peer, &request));

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
            let checked = match &read {
                Ok(body) => sent.check().and_then(|()| visit.check(body, size)),
                Err(error) => sent.check().and_then(|()| Err(not_json(error))),
            };
            match checked {
                Err(error) => refuse(&ticket, &error),
                Ok(model) => visit.answer(model, fault, ticket).await,
            }
        }
    }
}

fn refuse(ticket: &Ticket, error: &VendorError) -> Answer {
    ticket.answered(error.code);
    error.response()
}

fn not_json(error: &serde_json::Error) -> VendorError {
    VendorError::invalid(&format!("Invalid JSON payload received. {error}"))
}

fn arrival(sent: &Sent, model: &str, peer: &Peer, request: &Request) -> Call {
    let headers = request.headers();
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
        path: request.uri().path().into(),
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

/// One request on its way to an answer.
struct Visit<'a> {
    gemini: &'a Gemini,
    model: &'a str,
    version: &'a str,
    ask: &'a Ask,
    arrived: Instant,
}

impl Visit<'_> {
    fn check(&self, body: &Value, size: usize) -> Result<Model, VendorError> {
        if size > MAX_REQUEST_BYTES {
            let message = format!("Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes.");
            return Err(VendorError::invalid(&message));
        }
        let model = Model::find(self.model).ok_or_else(|| VendorError::model_gone(self.model, self.version))?;
        self.ask.check(body, model)?;
        Ok(model)
    }

    async fn answer(&self, model: Model, fault: Option<Fault>, ticket: Ticket) -> Answer {
        let latency = match fault {
            Some(Fault::Latency { ms }) => Duration::from_millis(ms),
            _ => self.gemini.current_latency(),
        };
        let body = match self.body(model, fault.as_ref(), &ticket).await {
            Ok(body) => body,
            Err(error) => return refuse(&ticket, &error),
        };
        tokio::time::sleep(latency.saturating_sub(self.arrived.elapsed())).await;
        match fault {
            Some(Fault::Truncated) => body::truncated(&body, in_part(ticket)),
            Some(Fault::EndlessBody) => body::endless(in_part(ticket)),
            Some(Fault::Huge) => body::huge(in_part(ticket)),
            Some(Fault::Drip) => body::drip(body, in_part(ticket)),
            _ => {
                ticket.answered(200);
                json_response(200, body)
            }
        }
    }

    /// The bytes of a 200.
    async fn body(&self, model: Model, fault: Option<&Fault>, ticket: &Ticket) -> Result<Bytes, VendorError> {
        let tokens = prompt_tokens(&self.ask.prompt);
        let id = response_id(ticket.id);
        match fault {
            Some(Fault::Garbage) => return Ok(Bytes::from_static(GARBAGE.as_bytes())),
            Some(Fault::EndlessBody | Fault::Huge) => return Ok(Bytes::new()),
            Some(Fault::RefusedPrompt) => return Ok(pretty(&refused_prompt(self.model, &id, tokens))),
            Some(Fault::RefusedOutput { finish_reason }) => {
                return Ok(pretty(&refused_output(self.model, &id, finish_reason, tokens)));
            }
            _ => {}
        }
        let mut success = Success {
            model: self.model,
            signature: signature(&id),
            response_id: id,
            thoughts: Vec::new(),
            text: None,
            picture: None,
            finish_reason: "STOP",
            prompt_tokens: tokens,
            input_images: u32::try_from(self.ask.inputs.len()).unwrap_or(u32::MAX),
            answer_tokens: 12,
        };
        if !model.draws() {
            success.text = Some("Ready when you are.".into());
            if self.ask.max_output_tokens.is_some_and(|most| most < 5) {
                success.text = Some("Ready".into());
                success.finish_reason = "MAX_TOKENS";
                success.answer_tokens = 1;
            }
            return Ok(pretty(&success.body()));
        }
        if fault == Some(&Fault::Empty) {
            let text = "I'm sorry, but I can't create that image. Is there something else you would like to see?";
            success.text = Some(text.into());
            return Ok(pretty(&success.body()));
        }

        let (order, size) = self.order(model, fault == Some(&Fault::WrongMime));
        let mime = order.format.mime();
        let thinks = fault == Some(&Fault::Thoughts) || self.ask.include_thoughts;
        let drafts = if thinks { vec![order.draft(1), order.draft(2)] } else { Vec::new() };
        let picture = self.draw(order).await?;
        for draft in drafts {
            success.thoughts.push(Inline::new(mime, &self.draw(draft).await?.bytes));
        }
        let claimed = if fault == Some(&Fault::WrongMime) { "image/png" } else { mime };
        success.picture = Some(match fault {
            Some(Fault::BadBase64) => Inline { mime: mime.into(), data: "***this is not base64***".into() },
            Some(Fault::NotAPicture) => Inline::new("image/png", b"This is only text, whatever its label says.\n"),
            Some(Fault::Bomb) => Inline::new("image/png", &paint::bomb()),
            _ => {
                ticket.drew(claimed, hex(&Sha256::digest(&picture.bytes)), picture.bytes.clone(), picture.thumbnail);
                Inline::new(claimed, &picture.bytes)
            }
        });
        success.answer_tokens = if size == "4K" { 2000 } else { 1120 };
        if self.ask.wants_text() {
            success.text = Some("Here is your picture.".into());
        }
        Ok(pretty(&success.body()))
    }

    /// What to draw, and the size it is billed as.
    fn order(&self, model: Model, force_jpeg: bool) -> (Order, String) {
        let inputs: Vec<Bytes> = self.ask.inputs.iter().map(|input| input.bytes.clone()).collect();
        let size = self.ask.image_size.clone().unwrap_or_else(|| "1K".into());
        let ratio = match (&self.ask.aspect_ratio, inputs.first().and_then(|first| paint::dimensions(first))) {
            (Some(asked), _) => asked.clone(),
            (None, Some((width, height))) => nearest(width, height).into(),
            (None, None) => "1:1".into(),
        };
        let (width, height) = pixels(&ratio, &size);
        let mut asked = Sha256::new_with_prefix(self.ask.prompt.as_bytes());
        for input in &self.ask.inputs {
            asked.update(&input.sha256);
        }
        let order = Order {
            prompt: self.ask.prompt.clone(),
            variation: self.gemini.repetition(asked.finalize().into()),
            width,
            height,
            inputs,
            format: if force_jpeg || model.mime == "image/jpeg" { Format::Jpeg } else { Format::Png },
            sketch: self.gemini.sketches(),
        };
        (order, size)
    }

    async fn draw(&self, order: Order) -> Result<paint::Picture, VendorError> {
        let _easel = self.gemini.easels.acquire().await;
        match tokio::task::spawn_blocking(move || paint::paint(&order)).await {
            Ok(Ok(picture)) => Ok(picture),
            Ok(Err(paint::Error::UnreadableInput)) => Err(VendorError::invalid(UNREADABLE_INPUT)),
            Ok(Err(paint::Error::Encoding(error))) => {
                tracing::error!(%error, "sandbox could not encode its picture");
                Err(VendorError::of_status(500))
            }
            Err(error) => {
                tracing::error!(%error, "sandbox painter stopped");
                Err(VendorError::of_status(500))
            }
        }
    }
}

/// 200 is on its way, and the call lasts until its body ends.
fn in_part(ticket: Ticket) -> Ticket {
    ticket.note(|call| call.status = 200);
    ticket
}

fn prompt_tokens(prompt: &str) -> u32 {
    u32::try_from(prompt.chars().count().div_ceil(4)).unwrap_or(u32::MAX)
}

/// Looks like the vendor's: 23 URL-safe letters.
fn response_id(call: u64) -> String {
    hex(&Sha256::digest(format!("response {call} {}", Utc::now())))[..23].to_owned()
}

fn signature(id: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(Sha256::digest(format!("thought {id}")))
}
