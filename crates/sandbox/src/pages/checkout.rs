//! The processors' checkout pages: where a person pays, or does something else.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Desk,
    html::{esc, page},
};
use crate::{
    btcpay::{Additional, Invoice, Status, fixed},
    control::Act,
    nowpayments::{NowInvoice, NowPayment, PaymentStatus},
};

const REFRESH_SECONDS: u32 = 3;

/// What a person can do, with the words on the button.
const ACTS: [(&str, &str); 8] = [
    ("pay", "Pay"),
    ("pay_lightning", "Pay with Lightning"),
    ("pay_less", "Pay too little"),
    ("pay_more", "Pay too much"),
    ("pay_late", "Pay late"),
    ("expire", "Let it expire"),
    ("double_spend", "Double-spend"),
    ("confirm", "Find blocks now"),
];

/// Everything the page shows, whoever's it is.
struct Bill<'a> {
    processor: &'a str,
    id: String,
    action: String,
    description: &'a str,
    price: String,
    state: String,
    class: &'static str,
    paid: String,
    due: String,
    back: Option<&'a str>,
    /// Names of acts that make no sense here.
    without: &'a [&'a str],
    settled: bool,
}

fn show(bill: &Bill<'_>) -> Response {
    let buttons: String = ACTS
        .iter()
        .filter(|(act, _)| !bill.without.contains(act))
        .map(|(act, words)| format!("<button name=\"act\" value=\"{act}\">{words}</button>"))
        .collect();
    // Only what a browser would follow to a shop.
    let back = bill.back.filter(|it| it.starts_with("http://") || it.starts_with("https://"));
    let back = back.map_or_else(String::new, |back| {
        format!("<p><a class=\"back\" href=\"{}\" rel=\"noreferrer\">Return to the shop</a></p>", esc(back))
    });
    let body = format!(
        "<section class=\"card checkout\"><p class=\"soft\">{} · a stand-in: no coin moves</p><h1>{}</h1><p>{}</p>\
         <p role=\"status\"><span class=\"{}\">{}</span></p>\
         <table><tr><th>Paid</th><td>{} BTC</td></tr><tr><th>Due</th><td><strong>{} BTC</strong></td></tr>\
         <tr><th>Invoice</th><td><code>{}</code></td></tr></table>\
         <form class=\"acts\" method=\"post\" action=\"{}\">{buttons}</form>{back}</section>",
        bill.processor,
        esc(&bill.price),
        esc(bill.description),
        bill.class,
        bill.state,
        bill.paid,
        bill.due,
        esc(&bill.id),
        esc(&bill.action),
    );
    let refresh = (!bill.settled).then_some(REFRESH_SECONDS);
    page("Checkout", "/payments", refresh, &body).into_response()
}

fn gone() -> Response {
    (StatusCode::NOT_FOUND, page("Checkout", "/payments", None, "<h1>There is no such invoice.</h1>")).into_response()
}

pub(super) async fn btcpay(State(desk): State<Desk>, Path(id): Path<String>) -> Response {
    let Some(invoice) = desk.till.btcpay.invoice(&id) else { return gone() };
    let (state, class) = words(&invoice);
    let back = invoice
        .redirect_url
        .as_ref()
        .map(|it| it.replace("{InvoiceId}", &invoice.id).replace("{OrderId}", invoice.order_id().unwrap_or_default()));
    show(&Bill {
        processor: "BTCPay Server",
        action: format!("/i/{}/acts", invoice.id),
        description: invoice.metadata["itemDesc"].as_str().unwrap_or_default(),
        price: format!("{} {}", fixed(invoice.minor.into(), 2), invoice.currency),
        state,
        class,
        paid: fixed(invoice.paid_sats().into(), 8),
        due: fixed(invoice.due_sats().into(), 8),
        back: back.as_deref(),
        without: &[],
        settled: matches!(invoice.status, Status::Settled | Status::Invalid),
        id: invoice.id.clone(),
    })
}

fn words(invoice: &Invoice) -> (String, &'static str) {
    let (state, class) = match (invoice.status, invoice.additional) {
        (Status::New, Additional::PaidPartial) => ("Paid in part, waiting for the rest", "wait"),
        (Status::New, _) => ("Waiting for payment", "wait"),
        (Status::Processing, _) => ("Seen, waiting for blocks", "wait"),
        (Status::Expired, Additional::PaidLate) if invoice.is_confirmed() => ("Paid after the end", "good"),
        (Status::Expired, Additional::PaidLate) => ("Paid after the end, waiting for blocks", "wait"),
        (Status::Expired, Additional::PaidPartial) => ("Expired, paid in part", "bad"),
        (Status::Expired, _) => ("Expired", "bad"),
        (Status::Invalid, _) => ("Invalid", "bad"),
        (Status::Settled, Additional::PaidOver) => ("Paid, too much", "good"),
        (Status::Settled, _) => ("Paid", "good"),
    };
    (state.to_owned(), class)
}

#[derive(Deserialize)]
pub(super) struct ActForm {
    act: Act,
}

pub(super) async fn act_btcpay(State(desk): State<Desk>, Path(id): Path<String>, Form(it): Form<ActForm>) -> Response {
    if it.act.on_btcpay(&desk.till, &id) { Redirect::to(&format!("/i/{id}")).into_response() } else { gone() }
}

#[derive(Deserialize)]
pub(super) struct Which {
    iid: u64,
}

pub(super) async fn nowpayments(State(desk): State<Desk>, Query(which): Query<Which>) -> Response {
    let Some(invoice) = desk.till.nowpayments.invoice(which.iid) else { return gone() };
    let payments = desk.till.nowpayments.payments(invoice.id);
    let paid: i64 = payments.iter().map(|it| it.paid_sats).sum();
    let (state, class, settled) = now_words(&payments);
    show(&Bill {
        processor: "NOWPayments",
        id: invoice.id.to_string(),
        action: format!("/payment/{}/acts", invoice.id),
        description: &invoice.description,
        price: format!("{} {}", fixed(invoice.minor.into(), 2), invoice.currency.to_uppercase()),
        state,
        class,
        paid: NowPayment::in_coins(paid),
        due: NowPayment::in_coins((invoice.price_sats() - paid).max(0)),
        back: back(&invoice, settled),
        without: &["pay_lightning"],
        settled,
    })
}

fn back(invoice: &NowInvoice, paid: bool) -> Option<&str> {
    if paid { invoice.success_url.as_deref() } else { invoice.cancel_url.as_deref() }
}

fn now_words(payments: &[NowPayment]) -> (String, &'static str, bool) {
    let Some(newest) = payments.last() else { return ("Choose a coin by paying".to_owned(), "wait", false) };
    let class = match newest.status {
        PaymentStatus::Finished => "good",
        PaymentStatus::Waiting | PaymentStatus::Confirming | PaymentStatus::Confirmed | PaymentStatus::Sending => {
            "wait"
        }
        PaymentStatus::PartiallyPaid
        | PaymentStatus::Failed
        | PaymentStatus::Refunded
        | PaymentStatus::Expired
        | PaymentStatus::Cancelled => "bad",
    };
    let redeposit = if newest.parent.is_some() { ", sent again to an old address" } else { "" };
    (format!("{}{redeposit}", newest.status.as_str().replace('_', " ")), class, class == "good")
}

pub(super) async fn act_nowpayments(
    State(desk): State<Desk>,
    Path(id): Path<u64>,
    Form(it): Form<ActForm>,
) -> Response {
    if it.act.on_nowpayments(&desk.till, id) {
        Redirect::to(&format!("/payment/?iid={id}")).into_response()
    } else {
        gone()
    }
}
