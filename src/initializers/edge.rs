//! What every request passes: its reference and log line, errors for people, cross-site protection, strict headers,
//! limits, compression, static files.

use std::time::Instant;

use async_trait::async_trait;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::Response,
};
use loco_rs::{
    Result,
    app::{AppContext, Initializer},
};
use tower::ServiceBuilder;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, csrf::CsrfLayer, services::ServeDir};

use super::{errors, limits};
use crate::controllers;

/// Where no policy says how much (`controllers::policy`).
const BODY_MAX: usize = 64 * 1024;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
                   connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; \
                   manifest-src 'self'";

/// On every answer; an answer that says something else itself keeps it.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, CSP),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=()"),
];

/// The version is part of every address, so what lies under it never changes.
const STATIC_CACHE: &str = "public, max-age=31536000, immutable";

/// Names a request in the log and on error pages.
#[derive(Debug, Clone)]
pub struct Reference(pub String);

pub struct Edge;

#[async_trait]
impl Initializer for Edge {
    fn name(&self) -> String {
        "edge".into()
    }

    async fn after_routes(&self, router: Router, ctx: &AppContext) -> Result<Router> {
        let layers = ServiceBuilder::new()
            .layer(middleware::from_fn(logged))
            .layer(middleware::from_fn(with_headers))
            .layer(CompressionLayer::new())
            .layer(middleware::from_fn_with_state(ctx.clone(), errors::explain))
            .layer(CatchPanicLayer::new())
            .layer(middleware::from_fn_with_state(ctx.clone(), limits::for_us))
            .layer(middleware::from_fn(limits::in_time))
            .layer(CsrfLayer::new())
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .layer(middleware::from_fn_with_state(ctx.clone(), limits::held_to_its_policy));
        Ok(router
            .nest_service("/static", ServeDir::new("assets/static"))
            .fallback(controllers::home::missing)
            .layer(layers))
    }
}

/// One line per request: method and path, never the query or the end of a signed link, which carry tokens.
async fn logged(mut request: Request, next: Next) -> Response {
    let reference = Reference(uuid::Uuid::new_v4().simple().to_string()[..12].to_owned());
    let (method, path) = (request.method().clone(), loggable(request.uri().path()).to_owned());
    request.extensions_mut().insert(reference.clone());
    let started = Instant::now();
    let mut response = next.run(request).await;
    let (status, ms) = (response.status().as_u16(), started.elapsed().as_millis());
    if response.status().is_server_error() {
        tracing::error!(%method, path, status, ms, reference = reference.0, "request");
    } else if is_chatter(&method, &path) {
        tracing::debug!(%method, path, status, ms, reference = reference.0, "request");
    } else {
        tracing::info!(%method, path, status, ms, reference = reference.0, "request");
    }
    if let Ok(value) = HeaderValue::from_str(&reference.0) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn loggable(path: &str) -> &str {
    if path.starts_with("/pay/") { "/pay/…" } else { path }
}

/// Polls, files and probes would drown the rest.
fn is_chatter(method: &Method, path: &str) -> bool {
    method == Method::GET
        && ["/static/", "/app/runs/", "/app/files/", "/app/billing/invoices/", "/pay/", "/up", "/ready"]
            .iter()
            .any(|quiet| path.starts_with(quiet))
}

async fn with_headers(request: Request, next: Next) -> Response {
    let is_static = request.uri().path().starts_with("/static/");
    let mut response = next.run(request).await;
    let is_fine = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    if is_static && is_fine {
        add(headers, header::CACHE_CONTROL, STATIC_CACHE);
    }
    for (name, value) in HEADERS {
        add(headers, name, value);
    }
    response
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
