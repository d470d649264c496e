use std::{
    convert::Infallible,
    error::Error as _,
    fmt, fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use reqwest::{
    Body, Certificate, Client, Proxy,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue},
};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{
    Evidence, Failure, ProxyUrl,
    answer::{Cut, Reply, Route},
};

/// Name, connection, proxy handshake and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// One client per proxy; the one unused for longest makes room. Building one again costs a millisecond.
const MAX_PROXIED_CLIENTS: usize = 64;
/// An error is a page of text at most; what is longer is not the vendor's.
pub(super) const MAX_ERROR_BYTES: usize = 256 * 1024;

/// The HTTP clients of this process: one direct, one per proxy. Cheap to clone.
///
/// A call has its own connection. A pooled one can die between two calls, and then nobody knows whether the request
/// ran; a handshake costs a tenth of a second, a wrong guess costs a picture.
#[derive(Clone)]
pub struct Http {
    direct: Client,
    proxied: Arc<Mutex<Vec<(ProxyUrl, Client)>>>,
    authorities: Arc<[Certificate]>,
}

/// A call to make.
pub(super) struct Call<'a> {
    pub url: Url,
    pub key: (HeaderName, HeaderValue),
    /// JSON to post; `None` only reads, so doing it twice does no harm.
    pub body: Option<Vec<u8>>,
    pub proxy: Option<&'a ProxyUrl>,
    pub deadline: Duration,
    pub max_answer_bytes: usize,
    pub private: &'a [&'a str],
}

impl Http {
    /// Trusts the public certificate authorities. Fails only if the TLS library cannot be set up.
    pub fn new() -> Result<Self, Failure> {
        Self::with(Vec::new())
    }

    /// Trusts those in `ca_file` (PEM) as well, for a gateway that opens what passes through it. An empty path names none.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn trusting(ca_file: &Path) -> Result<Self, Failure> {
        if ca_file.as_os_str().is_empty() {
            return Self::new();
        }
        let wrong = |what: &str| Failure::ours(format!("the certificates in {}: {what}", ca_file.display()));
        let pem = fs::read(ca_file).map_err(|error| wrong(&error.to_string()))?;
        let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&chain(&error)))?;
        if authorities.is_empty() {
            return Err(wrong("none found, PEM is expected"));
        }
        Self::with(authorities)
    }

    fn with(authorities: Vec<Certificate>) -> Result<Self, Failure> {
        Ok(Self { direct: client(None, &authorities)?, proxied: Arc::default(), authorities: authorities.into() })
    }

    /// Makes the call and reads the whole answer. An `Err` is a failure to get any answer at all.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Reply, Failure> {
        let client = self.client(call.proxy)?;
        let route = Route::of(&call.url, call.proxy);
        let sent = Sent::default();
        let only_reads = call.body.is_none();
        let request = match call.body {
            Some(body) => client
                .post(call.url)
                .header(CONTENT_TYPE, "application/json")
                .header(CONTENT_LENGTH, body.len())
                .body(sent.watching(body)),
            None => client.get(call.url),
        };
        let request = request
            .header(call.key.0, call.key.1)
            .header(ACCEPT, "application/json")
            // Nothing is unpacked here, so there is nothing to bomb.
            .header(ACCEPT_ENCODING, "identity")
            .build()
            .map_err(|error| Failure::ours(error.without_url()))?;

        let until = Instant::now() + call.deadline;
        let response = match timeout_at(until, client.execute(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                sent.unwatched(only_reads && !error.is_connect());
                return Err(sent.failure(route, &chain(&error.without_url()), call.private));
            }
            Err(_) => {
                sent.unwatched(only_reads);
                return Err(sent.failure(route, "no answer within the deadline", call.private));
            }
        };
        let status = response.status();
        let headers = response.headers().clone();
        let cap = if status.is_success() { call.max_answer_bytes } else { MAX_ERROR_BYTES };
        let (body, cut) = read(response, cap, until).await;
        #[expect(clippy::disallowed_methods, reason = "measures the vendor's dates; what comes out is a duration")]
        let now = Utc::now();
        Ok(Reply { status: status.as_u16(), headers, body, cut, route, now })
    }

    fn client(&self, proxy: Option<&ProxyUrl>) -> Result<Client, Failure> {
        let Some(proxy) = proxy else { return Ok(self.direct.clone()) };
        let mut proxied = self.proxied.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match proxied.iter().position(|(known, _)| known == proxy) {
            Some(at) => proxied.remove(at),
            None => (proxy.clone(), client(Some(proxy), &self.authorities)?),
        };
        let client = entry.1.clone();
        proxied.push(entry);
        if proxied.len() > MAX_PROXIED_CLIENTS {
            proxied.remove(0);
        }
        Ok(client)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where clients are built")]
fn client(proxy: Option<&ProxyUrl>, authorities: &[Certificate]) -> Result<Client, Failure> {
    let builder = Client::builder()
        .user_agent(concat!("nproxy/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .referer(false);
    let builder = match proxy {
        // `no_proxy` also forgets HTTPS_PROXY and its friends: direct means direct.
        None => builder.no_proxy(),
        Some(proxy) => builder.proxy(Proxy::all(proxy.expose()).map_err(|error| Failure::ours(error.without_url()))?),
    };
    let builder = authorities.iter().cloned().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    builder.build().map_err(|error| Failure::ours(error.without_url()))
}

/// Reads at most `cap` bytes until `until`; the deadline is for the whole, so a drip of bytes does not move it.
async fn read(mut response: reqwest::Response, cap: usize, until: Instant) -> (Bytes, Option<Cut>) {
    let mut body = BytesMut::new();
    let cut = loop {
        if Instant::now() >= until {
            break Some(Cut::Deadline);
        }
        match timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() > cap => break Some(Cut::TooLong),
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => break None,
            Ok(Err(_)) => break Some(Cut::Broken),
            Err(_) => break Some(Cut::Deadline),
        }
    };
    (body.freeze(), cut)
}

/// Whether the request has begun to leave.
///
/// reqwest says "connect error" for some failures before that moment and says nothing for others (a deadline during the
/// handshake), so the body itself tells: it is asked for only once the connection stands, TLS and proxy included.
#[derive(Clone, Default)]
struct Sent(Arc<AtomicBool>);

impl Sent {
    fn watching(&self, body: Vec<u8>) -> Body {
        let sent = self.clone();
        Body::wrap_stream(futures::stream::once(async move {
            sent.0.store(true, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from(body))
        }))
    }

    /// A request without a body cannot tell; what it was is known by the error alone.
    fn unwatched(&self, left: bool) {
        self.0.fetch_or(left, Ordering::Relaxed);
    }

    /// No answer came: whose doing was it, and did the request leave? What fails inside a tunnel before that (a refused
    /// login, a certificate that is not the vendor's) is the proxy's doing: the vendor was fine when asked directly.
    fn failure(&self, route: Route, detail: &str, private: &[&str]) -> Failure {
        let evidence = Evidence::new(None, detail, private);
        match (self.0.load(Ordering::Relaxed), route) {
            (true, _) => Failure::Ambiguous { evidence },
            (false, Route::Direct) => Failure::NotSent { evidence },
            (false, Route::Proxied | Route::Tunnelled) => Failure::ProxyFault { request_sent: false, evidence },
        }
    }
}

/// An error and its causes in one line.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}
