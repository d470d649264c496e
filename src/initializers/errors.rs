//! Errors for people: a page for browsers, JSON for programs, both with a reference that is in the log.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use loco_rs::{
    app::AppContext,
    controller::views::{ViewRenderer, engines::TeraView},
};
use serde_json::{Value, json};

use super::edge::Reference;
use crate::{
    controllers::{
        error::Problem,
        extractors::{Theme, frame, is_htmx},
    },
    models::switches::Switches,
    views::allowances,
};

/// Gives every bare error an answer that can be read. Answers that have said it themselves stay as they are.
pub async fn explain(State(ctx): State<Arc<AppContext>>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let reference = request.extensions().get::<Reference>().map(|r| r.0.clone()).unwrap_or_default();
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || has_spoken(&response) {
        return response;
    }
    let problem = response.extensions().get::<Problem>().cloned().unwrap_or_else(|| Problem::of_status(status));
    let mut answer = if wants_html(&headers) {
        page(&ctx, (&method, &path), &headers, status, &problem, &reference)
    } else {
        let error = json!({ "code": problem.code, "message": problem.text, "reference": reference });
        (status, Json(json!({ "error": error }))).into_response()
    };
    // What the layers below said about the request (Retry-After, Allow, HX-Redirect) still counts.
    let (parts, _) = response.into_parts();
    for (name, value) in &parts.headers {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            answer.headers_mut().insert(name.clone(), value.clone());
        }
    }
    answer
}

/// HTML and JSON of our own count as said; a framework's plain text does not.
fn has_spoken(response: &Response) -> bool {
    response.extensions().get::<Problem>().is_none()
        && response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/html") || kind.starts_with("application/json"))
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    is_htmx(headers) || accept.contains("text/html")
}

/// What a person who wonders about money wants to know. What we have refused was not begun; what broke on our side may have
/// been.
fn about_money(method: &Method, path: &str, status: StatusCode) -> &'static str {
    let broke = status.is_server_error();
    match path {
        _ if path.starts_with("/pay/") && broke => {
            "Nothing was charged. A payment that you have sent counts once it arrives."
        }
        _ if !path.starts_with("/app") => "",
        _ if broke && !method.is_safe() => {
            "Nothing was charged. If pictures were begun all the same, they are in your queue, and only those that arrive count."
        }
        _ if broke || !method.is_safe() => "Nothing was charged.",
        _ => "",
    }
}

fn page(
    ctx: &AppContext,
    (method, path): (&Method, &str),
    headers: &HeaderMap,
    status: StatusCode,
    problem: &Problem,
    reference: &str,
) -> Response {
    let back = match problem.action {
        Some(action) => action,
        None if path.starts_with("/app") => ("To the studio", "/app/conversations"),
        None => ("To the start page", "/"),
    };
    // The database may be what is broken: nothing of it is on this page.
    let mut content = frame(ctx, None, &allowances::view(&[]), &Switches::default(), path, Theme::of(headers));
    content.insert(
        "error".into(),
        json!({
            "status": status.as_u16(),
            "title": problem.title,
            "text": problem.text,
            "charge_words": about_money(method, path, status),
            "action": { "label": back.0, "url": back.1 },
            "reference": reference,
        }),
    );
    let view = ctx.shared_store.get::<TeraView>();
    let html = view.and_then(|view| view.render("error.html", Value::Object(content)).ok());
    let mut response = match html {
        Some(html) => (status, Html(html)).into_response(),
        None => (status, Body::from(format!("{}\n{}\n", problem.title, problem.text))).into_response(),
    };
    if is_htmx(headers) {
        response.headers_mut().insert("HX-Reswap", HeaderValue::from_static("none"));
    }
    response
}
