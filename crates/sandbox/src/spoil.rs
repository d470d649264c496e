//! Ways a payment processor's API fails.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{Response, header},
    middleware::Next,
};
use serde::{Deserialize, Serialize};

use crate::host::{Peer, lock};

/// What goes wrong with a call to a processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Spoil {
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and resets the connection.
    Reset,
    /// A status with a page of some gateway.
    Status { code: u16 },
    /// 429.
    RateLimited { retry_after_s: u64 },
    /// 401 in a shape of no processor's.
    Unauthorized,
    /// 200 and not JSON.
    Garbage,
    /// 200 and JSON that ends in the middle, with the connection.
    Truncated,
    /// 200 and ten megabytes of JSON.
    Huge,
    /// A moved address.
    Redirect,
    /// The right answer, this much later.
    Slow { ms: u64 },
}

/// A fault that is set, and whether the request is carried out nevertheless: the answer alone is spoilt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub spoil: Spoil,
    /// Carried out before it goes wrong: a create that times out and has created.
    #[serde(default)]
    pub acts: bool,
    /// How often it will still happen; forever when empty.
    #[serde(default)]
    pub times: Option<u32>,
    /// Only calls whose path holds this: `payment-methods`, `invoice`.
    #[serde(default)]
    pub path: String,
}

/// The faults of one processor. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<Mutex<Option<Trouble>>>);

impl Troubles {
    /// Makes every call fail until healed.
    pub fn fail(&self, spoil: Spoil) {
        self.set(Trouble { spoil, acts: false, times: None, path: String::new() });
    }

    /// Carries out the next call and spoils its answer.
    pub fn act_and_fail(&self, spoil: Spoil) {
        self.set(Trouble { spoil, acts: true, times: Some(1), path: String::new() });
    }

    pub fn set(&self, trouble: Trouble) {
        *lock(&self.0) = Some(trouble);
    }

    pub fn heal(&self) {
        *lock(&self.0) = None;
    }

    pub fn now(&self) -> Option<Trouble> {
        lock(&self.0).clone()
    }

    /// The trouble that this call meets, used up by one.
    fn meet(&self, path: &str) -> Option<Trouble> {
        let mut now = lock(&self.0);
        let trouble = now.as_mut().filter(|it| path.contains(&it.path))?;
        let met = trouble.clone();
        if let Some(times) = &mut trouble.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                *now = None;
            }
        }
        Some(met)
    }
}

/// Stands before a processor's API.
pub(crate) async fn spoil(
    State(troubles): State<Troubles>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let Some(trouble) = troubles.meet(request.uri().path()) else { return next.run(request).await };
    let real = match trouble.acts || matches!(trouble.spoil, Spoil::Slow { .. }) {
        true => Some(next.run(request).await),
        // Read to its end, as a server that dies later would.
        false => {
            drop(axum::body::to_bytes(request.into_body(), 1024 * 1024).await);
            None
        }
    };
    let page = |code: u16, kind: &'static str, body: Body| {
        let mut response = Response::new(body);
        *response.status_mut() = axum::http::StatusCode::from_u16(code).unwrap_or_default();
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        response
    };
    match trouble.spoil {
        Spoil::Hang => std::future::pending().await,
        Spoil::Reset => {
            peer.reset();
            page(500, "text/html", Body::empty())
        }
        Spoil::Status { code } => page(code, "text/html", format!("<html><title>{code}</title></html>").into()),
        Spoil::RateLimited { retry_after_s } => {
            let mut response = page(429, "text/plain", "Too Many Requests".into());
            response.headers_mut().insert(header::RETRY_AFTER, retry_after_s.into());
            response
        }
        Spoil::Unauthorized => page(401, "text/html", "<html><title>401</title></html>".into()),
        Spoil::Garbage => page(200, "application/json", "{]".into()),
        Spoil::Truncated => {
            let mut response = page(200, "application/json", Body::from_stream(half()));
            response.headers_mut().insert(header::CONTENT_LENGTH, 4_000.into());
            response
        }
        Spoil::Huge => page(200, "application/json", format!("[\"{}\"]", "x".repeat(10 * 1024 * 1024)).into()),
        Spoil::Redirect => {
            let mut response = page(302, "text/html", Body::empty());
            response.headers_mut().insert(header::LOCATION, header::HeaderValue::from_static("/elsewhere"));
            response
        }
        Spoil::Slow { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            real.unwrap_or_default()
        }
    }
}

/// Some bytes of the promised ones, then the connection ends.
fn half() -> impl futures::Stream<Item = std::io::Result<bytes::Bytes>> {
    use futures::StreamExt;
    let end = futures::stream::once(async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Err(std::io::ErrorKind::ConnectionAborted.into())
    });
    futures::stream::iter([Ok(bytes::Bytes::from_static(b"{\"id\":\"Half"))]).chain(end)
}
