//! The processors' page: checkouts, deliveries, and forms to make both fail.

use std::time::Duration;

use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Desk,
    html::{esc, page as whole},
};
use crate::{Courier, Spoil, Trouble, Webhooks, btcpay::fixed};

/// Lines per list on the page; the control interface has all.
const SHOWN: usize = 40;

pub(super) async fn page(State(desk): State<Desk>) -> Html<String> {
    let till = &desk.till;
    let hook = till.btcpay.webhook_url();
    let hook = if hook.is_empty() { "none".to_owned() } else { format!("<code>{}</code>", esc(&hook)) };
    let body = format!(
        "<h1>Payments</h1><p>Stand-ins for a BTCPay Server and for NOWPayments at <code>http://{}</code>. Open a checkout \
         to pay it, too little, too late or not at all. BTCPay's webhook: {hook}.</p>\
         <div class=\"cards\">{}{}{}</div><h2>Checkouts</h2>{}<h2>Webhooks</h2>{}{}",
        desk.http,
        processor(&desk, "btcpay", "BTCPay Server"),
        processor(&desk, "nowpayments", "NOWPayments"),
        time_form(),
        checkouts(&desk),
        attempts("BTCPay Server", till.btcpay.courier()),
        attempts("NOWPayments", till.nowpayments.courier()),
    );
    whole("Payments", "/payments", None, &body)
}

/// Its webhooks and its faults.
fn processor(desk: &Desk, name: &str, title: &str) -> String {
    let (Some(courier), Some(troubles)) = (desk.till.courier(name), desk.till.troubles(name)) else {
        return String::new();
    };
    let mode = match courier.mode() {
        Webhooks::On => "delivered",
        Webhooks::Off => "lost",
        Webhooks::Held => "held back",
    };
    let trouble = troubles.now().map_or_else(
        || "<span class=\"good\">works</span>".to_owned(),
        |it| {
            let kind = serde_json::to_value(&it.spoil).unwrap_or_default();
            format!("<span class=\"bad\">{}</span>", esc(kind["kind"].as_str().unwrap_or_default()))
        },
    );
    format!(
        "<section class=\"card\"><h2>{title}</h2><p>Webhooks are {mode}, {} waiting. The API {trouble}.</p>\
         <form method=\"post\" action=\"/payments/webhooks\"><input type=\"hidden\" name=\"processor\" value=\"{name}\">\
         <label>Webhooks<select name=\"mode\"><option value=\"on\">deliver</option><option value=\"off\">lose</option>\
         <option value=\"held\">hold back</option></select></label>\
         <label>Copies more of each<input name=\"copies\" type=\"number\" min=\"0\" max=\"50\" value=\"0\"></label>\
         <button>Set webhooks</button></form>\
         <form method=\"post\" action=\"/payments/release\"><input type=\"hidden\" name=\"processor\" value=\"{name}\">\
         <button name=\"reversed\" value=\"true\">Release what is held, last first</button></form>\
         <form method=\"post\" action=\"/payments/trouble\"><input type=\"hidden\" name=\"processor\" value=\"{name}\">\
         <label>The API<select name=\"kind\"><option value=\"\">works</option><option value=\"hang\">does not answer</option>\
         <option value=\"create\">creates, then does not answer</option><option value=\"status\">answers 503</option>\
         <option value=\"garbage\">answers garbage</option></select></label><button>Set API</button></form></section>",
        courier.waiting(),
    )
}

fn time_form() -> &'static str {
    "<section class=\"card\"><h2>Time</h2><form method=\"post\" action=\"/payments/time\">\
     <label>Minutes to let pass<input name=\"minutes\" type=\"number\" min=\"1\" max=\"100000\" value=\"15\" required></label>\
     <button>Let it pass</button></form></section>"
}

fn checkouts(desk: &Desk) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    for it in desk.till.btcpay.invoices() {
        let line = format!(
            "<li><span><a href=\"/i/{0}\">{0}</a> <span class=\"soft\">{1} · {2} {3}</span></span><span>{4:?}, {5:?}</span></li>",
            esc(&it.id),
            esc(it.order_id().unwrap_or_default()),
            fixed(it.minor.into(), 2),
            esc(&it.currency),
            it.status,
            it.additional,
        );
        lines.push((it.created.to_rfc3339(), line));
    }
    for it in desk.till.nowpayments.invoices() {
        let payments = desk.till.nowpayments.payments(it.id);
        let states: Vec<&str> = payments.iter().map(|it| it.status.as_str()).collect();
        let line = format!(
            "<li><span><a href=\"/payment/?iid={0}\">{0}</a> <span class=\"soft\">{1} · {2} {3}</span></span><span>{4}</span></li>",
            it.id,
            esc(it.order_id.as_deref().unwrap_or_default()),
            fixed(it.minor.into(), 2),
            esc(&it.currency.to_uppercase()),
            if states.is_empty() { "no payment".to_owned() } else { states.join(", ") },
        );
        lines.push((it.created.clone(), line));
    }
    if lines.is_empty() {
        return "<p class=\"soft\">None yet.</p>".to_owned();
    }
    lines.sort();
    let newest: String = lines.into_iter().rev().take(SHOWN).map(|it| it.1).collect();
    format!("<ul class=\"plain card\">{newest}</ul>")
}

fn attempts(title: &str, courier: &Courier) -> String {
    let lines: String = courier
        .attempts()
        .iter()
        .rev()
        .take(SHOWN)
        .map(|it| {
            let (class, status) = match it.status {
                Some(status @ 200..=299) => ("good", status.to_string()),
                Some(status) => ("bad", status.to_string()),
                None => ("bad", "no answer".to_owned()),
            };
            let body = esc(&it.body);
            format!(
                "<li><details><summary>{} <span class=\"soft\">{}</span> <span class=\"{class}\">{status}</span></summary>\
                 <pre>{body}</pre></details></li>",
                esc(&it.kind),
                it.at.format("%H:%M:%S"),
            )
        })
        .collect();
    if lines.is_empty() {
        return format!("<p class=\"soft\">None from {title} yet.</p>");
    }
    format!("<h3>{title}</h3><ul class=\"plain card\">{lines}</ul>")
}

#[derive(Deserialize)]
pub(super) struct WebhooksForm {
    processor: String,
    mode: Webhooks,
    copies: u32,
}

fn back() -> Response {
    Redirect::to("/payments").into_response()
}

fn unknown() -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, "There is no such processor.").into_response()
}

pub(super) async fn set_webhooks(State(desk): State<Desk>, Form(it): Form<WebhooksForm>) -> Response {
    let Some(courier) = desk.till.courier(&it.processor) else { return unknown() };
    courier.webhooks(it.mode);
    courier.duplicate(it.copies.min(50));
    back()
}

#[derive(Deserialize)]
pub(super) struct Named {
    processor: String,
}

pub(super) async fn release(State(desk): State<Desk>, Form(it): Form<Named>) -> Response {
    let Some(courier) = desk.till.courier(&it.processor) else { return unknown() };
    courier.release(|at| usize::MAX - at);
    back()
}

#[derive(Deserialize)]
pub(super) struct TroubleForm {
    processor: String,
    kind: String,
}

pub(super) async fn set_trouble(State(desk): State<Desk>, Form(it): Form<TroubleForm>) -> Response {
    let Some(troubles) = desk.till.troubles(&it.processor) else { return unknown() };
    let always = |spoil| Trouble { spoil, acts: false, times: None, path: String::new() };
    match it.kind.as_str() {
        "hang" => troubles.set(always(Spoil::Hang)),
        "create" => troubles.set(Trouble { acts: true, times: Some(1), path: "invoice".into(), ..always(Spoil::Hang) }),
        "status" => troubles.set(always(Spoil::Status { code: 503 })),
        "garbage" => troubles.set(always(Spoil::Garbage)),
        _ => troubles.heal(),
    }
    back()
}

#[derive(Deserialize)]
pub(super) struct TimeForm {
    minutes: u64,
}

pub(super) async fn pass(State(desk): State<Desk>, Form(it): Form<TimeForm>) -> Response {
    desk.till.clock.pass(Duration::from_secs(it.minutes.min(100_000) * 60));
    back()
}
