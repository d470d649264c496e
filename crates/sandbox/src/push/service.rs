//! The service's door: what it asks of a message before it takes it.

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier};
use serde_json::Value;

use super::{PushFault, PushMessage, PushService};
use crate::host::{Peer, lock};

/// Services take no more.
const BODY_MAX: usize = 4096;
/// A signature is good for a day at most.
const SIGNED_MAX_SECS: i64 = 24 * 3600;
const TOPIC_MAX: usize = 32;

pub(crate) fn routes(push: &PushService) -> Router {
    Router::new().route("/push/{name}", post(take)).with_state(push.clone())
}

async fn take(
    State(push): State<PushService>,
    Path(name): Path<String>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = push.meet();
    if let Some(PushFault::Status(status)) = fault {
        push.answered(status);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return (status, [("retry-after", "1")]).into_response();
    }
    match push.examine(&name, &headers, &body) {
        Ok(message) => push.keep(message),
        Err((status, why)) => {
            push.answered(status.as_u16());
            return (status, why).into_response();
        }
    }
    let is_unsaid = fault == Some(PushFault::Unsaid);
    push.answered(if is_unsaid { 0 } else { StatusCode::CREATED.as_u16() });
    if is_unsaid {
        peer.reset();
    }
    (StatusCode::CREATED, [("location", format!("http://{}/push-message/{name}", push.address))]).into_response()
}

type Refusal = (StatusCode, &'static str);

impl PushService {
    fn examine(&self, name: &str, headers: &HeaderMap, body: &[u8]) -> Result<PushMessage, Refusal> {
        let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let Some(browser) = lock(&self.state).browsers.iter().find(|it| it.name == name).cloned() else {
            return Err((StatusCode::NOT_FOUND, "no such subscription"));
        };
        let Ok(ttl) = said("ttl").parse() else { return Err((StatusCode::BAD_REQUEST, "missing TTL")) };
        if said("content-encoding") != "aes128gcm" {
            return Err((StatusCode::BAD_REQUEST, "unknown encoding"));
        }
        if body.len() > BODY_MAX {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, "too large"));
        }
        let topic = said("topic");
        if topic.len() > TOPIC_MAX || !topic.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err((StatusCode::BAD_REQUEST, "bad topic"));
        }
        let contact = self.sender(&said("authorization"), &browser.sender)?;
        let Some(text) = browser.read(body).and_then(|words| String::from_utf8(words).ok()) else {
            // A real service cannot know; its browser would drop the message in silence.
            return Err((StatusCode::BAD_REQUEST, "the browser cannot read this"));
        };
        let endpoint = format!("http://{}/push/{name}", self.address);
        Ok(PushMessage { endpoint, text, ttl, topic, contact, sealed: body.to_vec() })
    }

    /// Whoever signed, as they name themselves.
    fn sender(&self, authorization: &str, expected: &str) -> Result<String, Refusal> {
        const UNAUTHORIZED: Refusal = (StatusCode::UNAUTHORIZED, "not signed as RFC 8292 says");
        const FORBIDDEN: Refusal =
            (StatusCode::FORBIDDEN, "signed by somebody else, for somebody else, or too long ago");
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| UNAUTHORIZED);
        let mut parts = authorization.strip_prefix("vapid ").ok_or(UNAUTHORIZED)?.split(',').map(str::trim);
        let (Some(token), Some(key)) =
            (parts.clone().find_map(|part| part.strip_prefix("t=")), parts.find_map(|part| part.strip_prefix("k=")))
        else {
            return Err(UNAUTHORIZED);
        };
        let (said, signature) = token.rsplit_once('.').ok_or(UNAUTHORIZED)?;
        let (head, claims) = said.split_once('.').ok_or(UNAUTHORIZED)?;
        let head: Value = serde_json::from_slice(&decode(head)?).map_err(|_| UNAUTHORIZED)?;
        let claims: Value = serde_json::from_slice(&decode(claims)?).map_err(|_| UNAUTHORIZED)?;
        let signature = Signature::from_slice(&decode(signature)?).map_err(|_| UNAUTHORIZED)?;
        let verifier = VerifyingKey::from_sec1_bytes(&decode(key)?).map_err(|_| UNAUTHORIZED)?;
        if head["alg"] != "ES256" || verifier.verify(said.as_bytes(), &signature).is_err() {
            return Err(UNAUTHORIZED);
        }
        let left = claims["exp"].as_i64().unwrap_or(0) - self.clock.now().timestamp();
        let contact = claims["sub"].as_str().unwrap_or_default();
        let is_reachable = contact.starts_with("mailto:") && contact.contains('@') || contact.starts_with("https://");
        let is_for_us = claims["aud"] == format!("http://{}", self.address);
        if key != expected || !is_for_us || !is_reachable || !(0..=SIGNED_MAX_SECS).contains(&left) {
            return Err(FORBIDDEN);
        }
        Ok(contact.to_owned())
    }
}
