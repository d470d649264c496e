//! What every request passes: its reference and log line, errors for people, cross-site protection, strict headers,
//! limits, compression, static files, the door of `/admin`.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::Response,
};
use loco_rs::{
    Result,
    app::{AppContext, Initializer},
};
use tower::ServiceBuilder;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, Predicate, SizeAbove},
    },
    csrf::CsrfLayer,
    services::ServeDir,
};
use tracing::Instrument;

use super::{errors, house, limits};
use crate::{context::Nproxy, controllers, models::measures};

/// Where no policy says how much (`controllers::policy`).
const BODY_MAX: usize = 64 * 1024;

/// On every answer; an answer that says something else itself keeps it.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=()"),
];

/// Below this many bytes an answer is three packets or fewer, and setting up a packer costs more than sending them.
const PACKED_FROM: u64 = 4096;

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
        let policy =
            HeaderValue::from_str(&ctx.parts().settings().content_security_policy()).map_err(loco_rs::Error::wrap)?;
        let worth_it = DefaultPredicate::new().and(SizeAbove::new(PACKED_FROM));
        let shared = Arc::new(ctx.clone()); // a context is much to copy for each layer of each request
        let layers = ServiceBuilder::new()
            .layer(middleware::from_fn(logged))
            .layer(middleware::from_fn_with_state(policy, with_headers))
            .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it))
            .layer(middleware::from_fn_with_state(shared.clone(), errors::explain))
            .layer(CatchPanicLayer::new())
            .layer(middleware::from_fn_with_state(shared.clone(), limits::for_us))
            .layer(middleware::from_fn(limits::in_time))
            .layer(CsrfLayer::new())
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .layer(middleware::from_fn_with_state(shared.clone(), limits::held_to_its_policy))
            .layer(middleware::from_fn_with_state(shared, house::door));
        let router = router
            .nest_service("/static", ServeDir::new("assets/static"))
            .fallback(controllers::home::missing)
            .layer(layers);
        // Around all of it: axum writes `Allow` behind every layer of the router itself.
        Ok(Router::new().fallback_service(router).layer(middleware::map_response(without_allow)))
    }
}

/// What is not there allows nothing: the methods of a page would tell that it is there for somebody else.
async fn without_allow(mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        response.headers_mut().remove(header::ALLOW);
    }
    response
}

/// One line per request: method and path, never the query or the end of a signed link, which carry tokens.
async fn logged(mut request: Request, next: Next) -> Response {
    let reference = Reference(uuid::Uuid::new_v4().simple().to_string()[..12].to_owned());
    let (method, path) = (request.method().clone(), loggable(request.uri().path()).to_owned());
    request.extensions_mut().insert(reference.clone());
    let started = Instant::now();
    // What is logged on the way says to which request it belongs.
    let span = tracing::info_span!("request", reference = reference.0);
    let mut response = next.run(request).instrument(span).await;
    let (status, ms) = (response.status().as_u16(), started.elapsed().as_millis());
    measures::answered(status);
    if response.status().is_server_error() {
        tracing::error!(%method, path, status, ms, reference = reference.0, "request");
    } else if is_chatter(&method, &path) && !response.status().is_client_error() {
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
    match path {
        _ if path.starts_with("/pay/") => "/pay/…",
        _ if path.starts_with("/shared/") => "/shared/…",
        _ => path,
    }
}

/// Polls, files and probes that go well would drown the rest.
fn is_chatter(method: &Method, path: &str) -> bool {
    method == Method::GET
        && [
            "/static/",
            "/app/runs/",
            "/app/files/",
            "/app/billing/invoices/",
            "/app/queue",
            "/pay/",
            "/shared/",
            "/up",
            "/ready",
        ]
        .iter()
        .any(|quiet| path.starts_with(quiet))
}

async fn with_headers(State(policy): State<HeaderValue>, request: Request, next: Next) -> Response {
    let is_static = request.uri().path().starts_with("/static/");
    let mut response = next.run(request).await;
    let is_fine = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    if is_static && is_fine {
        add(headers, header::CACHE_CONTROL, STATIC_CACHE);
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in HEADERS {
        add(headers, name, value);
    }
    response
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
