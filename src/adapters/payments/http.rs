use std::{
    convert::Infallible,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Body, Client, Method, StatusCode, Url,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{Evidence, Failure};

/// One call, from the connection to the last byte of the answer: a person may be waiting for the checkout.
pub const CALL_DEADLINE: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A page of a hundred invoices is a quarter of it.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Later than a day is as good as a day.
const MAX_RETRY_AFTER_SECS: u64 = 24 * 3600;

/// The HTTP client for processors. Cheap to clone.
///
/// No redirects, no retries of its own, a connection per call: whether a request left is known each time.
#[derive(Clone)]
pub struct Http {
    client: Client,
    deadline: Duration,
}

/// A call to make.
pub(super) struct Call<'a> {
    pub url: Url,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Posted if there is one.
    pub body: Option<Value>,
    /// Something exists afterwards that did not before: an unclear outcome must not be repeated blindly.
    pub creates: bool,
    /// What no [`Evidence`] may repeat.
    pub private: &'a [&'a str],
}

/// An answer with a 2xx.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    pub body: Bytes,
    status: StatusCode,
    creates: bool,
    private: &'a [&'a str],
}

impl Http {
    /// `deadline` is for each call; [`CALL_DEADLINE`] everywhere but in tests.
    ///
    /// # Errors
    /// Only if the TLS library cannot be set up.
    pub fn new(deadline: Duration) -> Result<Self, reqwest::Error> {
        #[expect(clippy::disallowed_methods, reason = "this is where the client is built")]
        let client = Client::builder()
            .user_agent(concat!("nproxy/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .referer(false)
            .no_proxy()
            .build()?;
        Ok(Self { client, deadline })
    }

    /// Makes the call and sorts whatever is not a whole 2xx.
    pub(super) async fn send<'a>(&self, call: Call<'a>) -> Result<Reply<'a>, Failure> {
        let (creates, private) = (call.creates, call.private);
        let sent = Arc::new(AtomicBool::new(false));
        let silent = |detail: &str| {
            let evidence = Evidence::new(None, detail, private);
            if creates && sent.load(Ordering::Relaxed) {
                Failure::Unknown { evidence }
            } else {
                Failure::Unavailable { evidence }
            }
        };
        let method = if call.body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.client.request(method, call.url).header(ACCEPT, "application/json");
        // Nothing is unpacked here, so there is nothing to bomb.
        request = request.header(ACCEPT_ENCODING, "identity");
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = call.body {
            let body = body.to_string();
            request = request.header(CONTENT_TYPE, "application/json").header(CONTENT_LENGTH, body.len());
            request = request.body(watched(body, sent.clone()));
        }
        let until = Instant::now() + self.deadline;
        let response = match timeout_at(until, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(silent(&error.without_url().to_string())),
            Err(_) => return Err(silent("no answer within the deadline")),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        if !status.is_success() {
            let body = read(response, MAX_ERROR_BYTES, until).await.unwrap_or_default();
            return Err(sort(status, &headers, &body, creates, private));
        }
        let reply = Reply { body: Bytes::new(), status, creates, private };
        match read(response, MAX_ANSWER_BYTES, until).await {
            Ok(body) => Ok(Reply { body, ..reply }),
            Err(Cut::TooLong) => Err(reply.garbage("the answer is longer than any of theirs")),
            Err(Cut::Broken) if !creates => {
                let evidence = Evidence::new(Some(status.as_u16()), "the answer broke off", private);
                Err(Failure::Unavailable { evidence })
            }
            Err(Cut::Broken) => Err(reply.garbage("the answer broke off")),
        }
    }
}

impl Reply<'_> {
    /// A 2xx that says what we do not understand. After a create, something may exist nevertheless.
    pub(super) fn garbage(&self, what: &str) -> Failure {
        let evidence = Evidence::new(Some(self.status.as_u16()), what, self.private);
        if self.creates { Failure::Unknown { evidence } } else { Failure::Garbage { evidence } }
    }
}

/// Sorts a status that is not a 2xx. A 4xx is believed in the processor's own JSON shape only.
fn sort(status: StatusCode, headers: &HeaderMap, body: &[u8], creates: bool, private: &[&str]) -> Failure {
    let said = said(body);
    let detail = match &said {
        Some((code, message)) => format!("{code} {message}"),
        None => format!("not the processor's answer: {} bytes", body.len()),
    };
    let evidence = Evidence::new(Some(status.as_u16()), &detail, private);
    match (status.as_u16(), said) {
        (401 | 403, _) => Failure::Unauthorized { evidence },
        (408 | 500..=599, _) if creates => Failure::Unknown { evidence },
        (408 | 500..=599, _) => Failure::Unavailable { evidence },
        (429, _) => Failure::RateLimited { retry_after: retry_after(headers), evidence },
        // The shop of our settings, not a checkout.
        (404, Some((code, _))) if code == "store-not-found" => Failure::Refused { evidence },
        (404, Some(_)) => Failure::NotFound { evidence },
        (400..=499, Some(_)) => Failure::Refused { evidence },
        (_, _) => Failure::Garbage { evidence },
    }
}

/// Code and message of `{"code":…,"message":…}`, or of BTCPay's `[{"path":…,"message":…}]`.
fn said(body: &[u8]) -> Option<(String, String)> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = |it: &Value, key: &str| it.get(key).and_then(Value::as_str).map(str::to_owned);
    match &value {
        Value::Array(all) => {
            let parts = all.iter().map(|it| Some(format!("{}: {}", text(it, "path")?, text(it, "message")?)));
            let parts: Option<Vec<String>> = parts.collect();
            parts.filter(|it| !it.is_empty()).map(|it| ("validation".to_owned(), it.join("; ")))
        }
        one => Some((text(one, "code")?, text(one, "message").unwrap_or_default())),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER_SECS)))
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The connection, or our patience.
    Broken,
    TooLong,
}

async fn read(mut response: reqwest::Response, cap: usize, until: Instant) -> Result<Bytes, Cut> {
    let mut body = BytesMut::new();
    loop {
        match timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() > cap => return Err(Cut::TooLong),
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => return Ok(body.freeze()),
            Ok(Err(_)) | Err(_) => return Err(Cut::Broken),
        }
    }
}

/// The body is asked for only once the connection stands, so its being asked for tells that the request leaves.
fn watched(body: String, sent: Arc<AtomicBool>) -> Body {
    Body::wrap_stream(futures::stream::once(async move {
        sent.store(true, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from(body))
    }))
}

/// An id as it may stand in a path. Ids come from processors, but through webhooks.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}
