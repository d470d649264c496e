//! Pages to look at: what was asked and answered, what was mailed, and forms to make things fail.
//!
//! Plain HTML without scripts or anything from elsewhere. Whatever came from outside goes through [`esc`].

mod checkout;
mod html;
mod overview;
mod post;
mod talk;
mod till;

use std::net::SocketAddr;

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{Gemini, MailBox, Telegram, Till};

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// What the pages show and change.
#[derive(Clone)]
struct Desk {
    gemini: Gemini,
    mail: MailBox,
    till: Till,
    telegram: Telegram,
    http: SocketAddr,
    smtp: SocketAddr,
}

pub(crate) fn routes(
    gemini: &Gemini,
    mail: &MailBox,
    (http, smtp): (SocketAddr, SocketAddr),
    till: &Till,
    telegram: &Telegram,
) -> Router {
    let desk =
        Desk { gemini: gemini.clone(), mail: mail.clone(), till: till.clone(), telegram: telegram.clone(), http, smtp };
    Router::new()
        .route("/", get(overview::page))
        .route("/faults", post(overview::set_fault))
        .route("/faults/healing", post(overview::heal))
        .route("/latency", post(overview::set_latency))
        .route("/calls/clearing", post(overview::clear))
        .route("/calls/{id}/picture", get(overview::picture))
        .route("/calls/{id}/thumbnail", get(overview::thumbnail))
        .route("/mail", get(post::inbox))
        .route("/mail/fault", post(post::set_fault))
        .route("/mail/clearing", post(post::clear))
        .route("/mail/{id}", get(post::mail))
        .route("/mail/{id}/html", get(post::html))
        .route("/mail/{id}/raw", get(post::raw))
        .route("/payments", get(till::page))
        .route("/payments/webhooks", post(till::set_webhooks))
        .route("/payments/release", post(till::release))
        .route("/payments/trouble", post(till::set_trouble))
        .route("/payments/time", post(till::pass))
        .route("/telegram", get(talk::page))
        .route("/telegram/messages", post(talk::say))
        .route("/telegram/presses", post(talk::press))
        .route("/telegram/people", post(talk::meet))
        .route("/telegram/trouble", post(talk::set_trouble))
        .route("/telegram/chats/{id}", get(talk::chat))
        .route("/i/{id}", get(checkout::btcpay))
        .route("/i/{id}/acts", post(checkout::act_btcpay))
        .route("/payment/", get(checkout::nowpayments))
        .route("/payment/{id}/acts", post(checkout::act_nowpayments))
        .route("/style.css", get(html::style))
        .layer(middleware::from_fn(guard))
        .with_state(desk)
}

/// Sends the policy with every page and refuses forms from other sites.
async fn guard(request: Request, next: Next) -> Response {
    let cross = request.headers().get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    if cross && request.method() == axum::http::Method::POST {
        return (StatusCode::FORBIDDEN, "Forms of other sites are not accepted.").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(header::HeaderValue::from_static(value));
    }
    response
}
