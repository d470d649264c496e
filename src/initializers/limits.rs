//! What a request may take: time for its body, time in all, and how often. And that it was meant for us.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use loco_rs::app::AppContext;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    context::Nproxy,
    controllers::{
        error::{Error, Problem, SOON},
        extractors::session_token,
        policy::{self, Rate},
    },
    models::{sessions::Client, throttles},
    settings::Settings,
};

/// The pause between two pieces of a body.
const BODY_PAUSE: Duration = Duration::from_secs(15);
/// After these a body has to have come at `BODY_PACE`: who sends a byte now and then only holds a connection.
const BODY_GRACE: Duration = Duration::from_secs(10);
/// Bytes a second, a tenth of the slowest telephone line.
const BODY_PACE: u32 = 512;
/// A whole body: the largest upload over a slow line.
const BODY_LASTS: Duration = Duration::from_secs(120);
/// A request without a file, from its head to its answer.
const LASTS: Duration = Duration::from_secs(60);
/// A page, from its head to the beginning of its answer: somebody waits for it, and a database that stands still holds it.
const PAGE_LASTS: Duration = Duration::from_secs(5);
/// A page of the house may ask the outside world first.
const HOUSE: &str = "/admin";
/// Probes ask by whatever address they have.
const PROBES: [&str; 2] = ["/up", "/ready"];

/// Is the request for us? Links in mails and pages are ours whatever it says; but an address of ours that answers to any
/// name lets another site's name point here.
pub async fn for_us(State(ctx): State<Arc<AppContext>>, request: Request, next: Next) -> Response {
    let is_probe = PROBES.contains(&request.uri().path());
    if is_probe || is_our_name(request.uri(), request.headers(), ctx.parts().settings()) {
        return next.run(request).await;
    }
    let problem = Problem {
        code: "wrong_host",
        title: "This is not the address of this site",
        text: format!("You find it at {}", ctx.parts().settings().app_url),
        action: None,
    };
    let mut response = StatusCode::MISDIRECTED_REQUEST.into_response();
    response.extensions_mut().insert(problem);
    response
}

fn is_our_name(uri: &Uri, headers: &HeaderMap, settings: &Settings) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let told = [host.to_str().ok(), uri.authority().map(|authority| authority.as_str())];
    told.into_iter().flatten().all(|name| settings.answers_to(name)) && host.to_str().is_ok()
}

/// The row of the route in `controllers::policy`: how large a body may be, and how often one may come.
pub async fn held_to_its_policy(State(ctx): State<Arc<AppContext>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let Some(path) = path.filter(|path| !path.starts_with("/static")) else { return next.run(request).await };
    let Some(policy) = policy::of(request.method(), &path) else {
        // A method that the route does not take ends here too.
        return next.run(request).await;
    };
    DefaultBodyLimit::max(policy.body_max).apply(&mut request);
    if policy.rate == Rate::Costly {
        let (mut parts, body) = request.into_parts();
        let Ok(client) = Client::from_request_parts(&mut parts, &ctx).await;
        let session = session_token(&parts.headers).map(|token| token.hashed());
        match throttles::costly(&ctx, &client, session.as_ref()).await {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => return Error::from(refused).into_response(),
            Err(error) => return Error::Internal(error).into_response(),
        }
        request = Request::from_parts(parts, body);
    }
    next.run(request).await
}

/// Nobody is waited for without end: for the next piece of a body, for all of it, for what we do with it.
pub async fn in_time(request: Request, next: Next) -> Response {
    let has_body = ![Method::GET, Method::HEAD].contains(request.method());
    if !has_body {
        let lasts = if request.uri().path().starts_with(HOUSE) { LASTS } else { PAGE_LASTS };
        return ended_in(lasts, next.run(request)).await;
    }
    let is_upload = kind(request.headers()).starts_with("multipart/");
    let late = Arc::new(AtomicBool::new(false));
    let request = {
        let late = late.clone();
        request.map(|body| patiently(body, late))
    };
    let response = ended_in(if is_upload { BODY_LASTS + LASTS } else { LASTS }, next.run(request)).await;
    if late.load(Ordering::Relaxed) && !response.status().is_success() {
        let status = StatusCode::REQUEST_TIMEOUT;
        let mut response = (status, [(header::CONNECTION, "close")]).into_response();
        response.extensions_mut().insert(Problem::of_status(status));
        return response;
    }
    response
}

fn kind(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

async fn ended_in(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    match timeout(limit, answer).await {
        Ok(response) => response,
        Err(_) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            tracing::error!("a request took longer than {limit:?} and was given up");
            let mut response = (status, [(header::RETRY_AFTER, SOON)]).into_response();
            response.extensions_mut().insert(Problem::of_status(status));
            response
        }
    }
}

fn patiently(body: Body, late: Arc<AtomicBool>) -> Body {
    let began = Instant::now();
    let pieces = stream::unfold(Some((body.into_data_stream(), 0_u32)), move |state| {
        let late = late.clone();
        async move {
            let (mut pieces, came) = state?;
            let paced = began + BODY_GRACE + Duration::from_secs(u64::from(came / BODY_PACE));
            let until = paced.min(began + BODY_LASTS).min(Instant::now() + BODY_PAUSE);
            match timeout_at(until, pieces.next()).await {
                Ok(Some(Ok(piece))) => {
                    let came = came.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
                    Some((Ok(piece), Some((pieces, came))))
                }
                Ok(Some(Err(error))) => Some((Err(error), None)),
                Ok(None) => None,
                Err(elapsed) => {
                    late.store(true, Ordering::Relaxed);
                    Some((Err(axum::Error::new(elapsed)), None))
                }
            }
        }
    });
    Body::from_stream(pieces)
}
