//! The image provider's page: faults, latency and the last calls.

use std::{fmt::Write, time::Duration};

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use serde::Deserialize;

use super::{
    Desk,
    html::{esc, page as whole, short, short_key},
};
use crate::{Call, Fault, Gemini, gemini::EVERY_KEY};

/// Calls on the page; the control interface has all.
const SHOWN_CALLS: usize = 40;
const REFRESH_SECONDS: u32 = 10;

#[derive(Deserialize)]
pub(super) struct Watch {
    /// Present when the page shall not reload by itself, to fill in a form at leisure.
    still: Option<String>,
}

pub(super) async fn page(State(desk): State<Desk>, Query(watch): Query<Watch>) -> Html<String> {
    let (refresh, other) = match watch.still {
        None => (Some(REFRESH_SECONDS), "<a href=\"/?still\">Stop reloading</a>"),
        Some(_) => (None, "<a href=\"/\">Reload by itself</a>"),
    };
    let body = format!(
        "<h1>Image provider</h1>\
         <p>A stand-in for Google's <code>generateContent</code>. Base address <code>http://{}</code>, any key that begins \
         with <code>sandbox-</code>. Mail goes to <code>smtp://{}</code>. Nothing here leaves this computer. {other}</p>\
         <div class=\"cards\">{}{}{}</div><div class=\"row\"><h2>Last calls</h2>\
         <form class=\"line\" method=\"post\" action=\"/calls/clearing\"><button>Clear</button></form></div>{}",
        desk.http,
        desk.smtp,
        fault_form(&desk.gemini),
        fault_list(&desk.gemini),
        latency_form(&desk.gemini),
        calls(&desk.gemini),
    );
    whole("Images", "/", refresh, &body)
}

fn fault_form(gemini: &Gemini) -> String {
    let options: String =
        Fault::examples().iter().map(|fault| format!("<option>{}</option>", esc(&fault.kind()))).collect();
    let mut keys: Vec<String> = gemini.calls().into_iter().map(|call| call.key).filter(|key| !key.is_empty()).collect();
    keys.sort();
    keys.dedup();
    let keys: String = keys.iter().map(|key| format!("<option value=\"{}\">", esc(key))).collect();
    format!(
        "<section class=\"card\"><h2>Make a key fail</h2><form method=\"post\" action=\"/faults\">\
         <label>Key (* for all)<input name=\"key\" value=\"*\" required list=\"keys\" autocomplete=\"off\"></label>\
         <datalist id=\"keys\">{keys}</datalist>\
         <label>Fault<select name=\"kind\">{options}</select></label>\
         <div class=\"pair\"><label>Times (empty: until healed)<input name=\"times\" type=\"number\" min=\"1\"></label>\
         <label>Value (code, seconds or ms)<input name=\"value\" type=\"number\" min=\"0\"></label></div>\
         <button>Set fault</button></form></section>"
    )
}

fn fault_list(gemini: &Gemini) -> String {
    let faults = gemini.faults();
    let mut items = String::new();
    for (key, fault, left) in &faults {
        let left = left.map_or_else(|| "until healed".to_owned(), |left| format!("{left} more"));
        let _ = write!(
            items,
            "<li><span><code>{}</code> <span class=\"bad\">{}</span> <span class=\"soft\">{left}</span></span>\
             <form class=\"line\" method=\"post\" action=\"/faults/healing\"><input type=\"hidden\" name=\"key\" value=\"{}\">\
             <button>Heal</button></form></li>",
            esc(&short_key(key)),
            esc(&fault.kind()),
            esc(key),
        );
    }
    if faults.is_empty() {
        items.push_str("<li class=\"soft\">All keys work.</li>");
    } else {
        items.push_str(
            "<li><span></span><form class=\"line\" method=\"post\" action=\"/faults/healing\"><button>Heal all</button></form></li>",
        );
    }
    format!("<section class=\"card\"><h2>Set faults</h2><ul class=\"plain\">{items}</ul></section>")
}

fn latency_form(gemini: &Gemini) -> String {
    format!(
        "<section class=\"card\"><h2>Latency</h2><form method=\"post\" action=\"/latency\">\
         <label>Milliseconds from request to picture\
         <input name=\"ms\" type=\"number\" min=\"0\" max=\"600000\" value=\"{}\" required></label>\
         <button>Set latency</button></form></section>",
        gemini.current_latency().as_millis()
    )
}

fn calls(gemini: &Gemini) -> String {
    let calls = gemini.calls();
    if calls.is_empty() {
        return "<p class=\"soft\">None yet.</p>".into();
    }
    calls.iter().rev().take(SHOWN_CALLS).map(call).collect()
}

fn call(call: &Call) -> String {
    let picture = match (&call.thumbnail, &call.picture) {
        (Some(_), Some(_)) => {
            let id = call.id;
            format!(
                "<a href=\"/calls/{id}/picture\"><img src=\"/calls/{id}/thumbnail\" alt=\"Answered picture {id}\"></a>"
            )
        }
        (Some(_), None) => format!("<img src=\"/calls/{0}/thumbnail\" alt=\"Answered picture {0}\">", call.id),
        (None, _) => "<div class=\"none\">no picture</div>".into(),
    };
    let (class, status) = match (call.finished_at, call.status) {
        (None, _) => ("wait", "in flight".to_owned()),
        (_, 0) => ("bad", "cut".to_owned()),
        (_, status @ 200..=299) => (if call.fault.is_some() { "wait" } else { "good" }, status.to_string()),
        (_, 499) => ("bad", "client left".to_owned()),
        (_, status) => ("bad", status.to_string()),
    };
    let mut facts = vec![
        format!("<span class=\"{class}\">{status}</span>"),
        format!("<span>{}</span>", call.started_at.format("%H:%M:%S")),
        format!("<code>{}</code>", esc(&short_key(&call.key))),
        format!("<span>{}</span>", esc(&call.model)),
    ];
    facts.extend(call.millis().map(|ms| format!("<span>{ms} ms</span>")));
    facts.extend(call.fault.as_ref().map(|fault| format!("<span>{}</span>", esc(&fault.kind()))));
    facts.extend(
        [&call.aspect_ratio, &call.image_size].into_iter().flatten().map(|it| format!("<span>{}</span>", esc(it))),
    );
    if !call.inputs.is_empty() {
        facts.push(format!("<span>{} input</span>", call.inputs.len()));
    }
    if call.via_proxy {
        facts.push("<span>via proxy</span>".into());
    }
    format!(
        "<article class=\"call\"><div>{picture}</div><div><p>{}</p><div class=\"facts\">{}</div></div></article>",
        esc(&short(&call.prompt, 400)),
        facts.concat()
    )
}

#[derive(Deserialize)]
pub(super) struct FaultForm {
    key: String,
    kind: String,
    times: String,
    value: String,
}

pub(super) async fn set_fault(State(desk): State<Desk>, Form(it): Form<FaultForm>) -> Response {
    let Some(fault) = Fault::examples().into_iter().find(|fault| fault.kind() == it.kind) else {
        return (StatusCode::UNPROCESSABLE_ENTITY, "There is no such fault.").into_response();
    };
    let fault = match it.value.trim().parse::<u64>() {
        Ok(value) => valued(fault, value),
        Err(_) => fault,
    };
    let key = if it.key.trim().is_empty() { EVERY_KEY } else { it.key.trim() };
    match it.times.trim().parse() {
        Ok(times) => desk.gemini.fault_times(key, fault, times),
        Err(_) => desk.gemini.fault(key, fault),
    }
    Redirect::to("/").into_response()
}

/// The fault with its number, for those that have one.
fn valued(fault: Fault, value: u64) -> Fault {
    let status = u16::try_from(value).ok().filter(|code| (400..600).contains(code));
    match (fault, status) {
        (Fault::Latency { .. }, _) => Fault::Latency { ms: value },
        (Fault::RateLimited { .. }, _) => Fault::RateLimited { retry_after_s: Some(value).filter(|value| *value > 0) },
        (Fault::RetryAfterHeader { .. }, _) => Fault::RetryAfterHeader { seconds: value },
        (Fault::Status { .. }, Some(code)) => Fault::Status { code },
        (Fault::Html { .. }, Some(code)) => Fault::Html { code },
        (Fault::ArrayError { .. }, Some(code)) => Fault::ArrayError { code },
        (other, _) => other,
    }
}

#[derive(Deserialize)]
pub(super) struct HealForm {
    key: Option<String>,
}

pub(super) async fn heal(State(desk): State<Desk>, Form(it): Form<HealForm>) -> Redirect {
    match it.key {
        Some(key) => desk.gemini.heal(&key),
        None => desk.gemini.heal_all(),
    }
    Redirect::to("/")
}

#[derive(Deserialize)]
pub(super) struct LatencyForm {
    ms: u64,
}

pub(super) async fn set_latency(State(desk): State<Desk>, Form(it): Form<LatencyForm>) -> Redirect {
    desk.gemini.latency(Duration::from_millis(it.ms));
    Redirect::to("/")
}

pub(super) async fn clear(State(desk): State<Desk>) -> Redirect {
    desk.gemini.clear();
    Redirect::to("/")
}

pub(super) async fn picture(State(desk): State<Desk>, Path(id): Path<u64>) -> Response {
    let call = desk.gemini.call(id);
    // The label may be a lie on purpose: what the bytes are decides how a browser shows them.
    let found = call.and_then(|call| call.picture).map(|bytes| (crate::paint::mime(&bytes), bytes));
    image(found)
}

pub(super) async fn thumbnail(State(desk): State<Desk>, Path(id): Path<u64>) -> Response {
    image(desk.gemini.call(id).and_then(|call| call.thumbnail).map(|bytes| ("image/jpeg", bytes)))
}

fn image(found: Option<(&'static str, Bytes)>) -> Response {
    match found {
        Some((mime, bytes)) => {
            ([(header::CONTENT_TYPE, mime), (header::CACHE_CONTROL, "private, max-age=3600")], bytes).into_response()
        }
        None => (StatusCode::NOT_FOUND, "That picture is no longer kept.").into_response(),
    }
}
