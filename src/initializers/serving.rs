//! The accept loop. axum's own waits for ever for whoever connects and says nothing; ours gives a head ten seconds, lets
//! one address have so many connections and all of them so many, and ends in order when it is told to.

use std::{
    collections::HashMap,
    convert::Infallible,
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use loco_rs::{
    Error, Result,
    app::AppContext,
    boot::{ServeParams, shutdown_signal},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{Sleep, sleep, timeout},
};
use tower::ServiceExt;

use crate::{
    context::Nproxy,
    settings::{Edge, Networks, customer_of},
};

/// From the connection, or the end of the answer before, to the end of the head.
const HEAD: Duration = Duration::from_secs(10);
/// The head of a request; a longer one is answered with 431.
const HEAD_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 100;
/// Whoever reads nothing of an answer for so long is gone.
const UNREAD: Duration = Duration::from_secs(30);
/// What is under way when we are told to end has so long to end by itself.
const DRAIN: Duration = Duration::from_secs(25);
/// Where all places are taken, one that is not in use is given to somebody else; so long it may take before the next one is.
const MAKES_ROOM: Duration = Duration::from_millis(50);
/// Connections to what only our own monitoring asks.
const BESIDE: usize = 64;
/// The pause after a connection could not be taken, because there are too many open files.
const BREATH: Duration = Duration::from_millis(200);

/// Serves until the process is told to end, and then until what is under way has ended.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(router: Router, ctx: &AppContext, params: &ServeParams) -> Result<()> {
    let place = format!("{}:{}", params.binding, params.port);
    let listener = TcpListener::bind(&place).await;
    let listener = listener.map_err(|error| Error::Message(format!("{place} cannot be listened on: {error}")))?;
    let parts = ctx.parts();
    let door = Door::new(&parts.settings().edge, parts.settings().trusted_proxies.clone());
    accept(listener, router, &door, shutdown_signal()).await;
    Ok(())
}

/// Serves something small beside the work of this process, and ends with it.
#[expect(clippy::disallowed_methods, reason = "lives and dies with its process")]
pub fn serve_beside(router: Router, listener: TcpListener) {
    let edge = Edge { connections: BESIDE, connections_per_address: BESIDE, ..Edge::default() };
    let door = Door::new(&edge, Networks::default());
    tokio::spawn(async move { accept(listener, router, &door, std::future::pending()).await });
}

async fn accept(listener: TcpListener, router: Router, door: &Door, told: impl Future<Output = ()>) {
    let (closing, closed) = watch::channel(false);
    let mut open = JoinSet::new();
    {
        let mut told = pin!(told);
        // Kept while others end: whoever has been let in already and waits for a place is not dropped.
        let mut next = pin!(door.admit(&listener));
        loop {
            tokio::select! {
                () = &mut told => break,
                Some(_) = open.join_next(), if !open.is_empty() => {}
                (stream, peer, pass) = &mut next => {
                    open.spawn(converse(stream, peer, router.clone(), closed.clone(), door.crowded.clone(), pass));
                    next.set(door.admit(&listener));
                }
            }
        }
    }
    drop(listener);
    tracing::info!(connections = open.len(), "shutting down: what is under way may end");
    closing.send_replace(true);
    let ended = async { while open.join_next().await.is_some() {} };
    if timeout(DRAIN, ended).await.is_err() {
        tracing::warn!(connections = open.len(), "shutting down: connections were cut");
        open.shutdown().await;
    }
}

/// Who may come in.
pub struct Door {
    /// Places in all.
    places: Arc<Semaphore>,
    /// Wakes whoever is idle the longest: somebody wants the place.
    crowded: Arc<Notify>,
    taken: Taken,
    each: usize,
    /// Through our own proxies everybody comes from one address.
    trusted: Networks,
}

/// Connections by address, or by the /64 that one customer of `IPv6` has.
type Taken = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A share of an address in what it may have, given back when the connection ends.
#[must_use]
pub struct Share(Option<(Taken, IpAddr)>);

/// A place, given back when the connection ends.
struct Pass {
    _place: OwnedSemaphorePermit,
    _share: Share,
}

impl Door {
    #[must_use]
    pub fn new(edge: &Edge, trusted: Networks) -> Self {
        Self {
            places: Arc::new(Semaphore::new(edge.connections)),
            crowded: Arc::default(),
            taken: Arc::default(),
            each: edge.connections_per_address,
            trusted,
        }
    }

    /// The next connection that may come in. When all places are taken it waits for one, and others behind it in the kernel's
    /// queue: a place becomes free at once where one is idle, and by the time limits otherwise soon.
    async fn admit(&self, listener: &TcpListener) -> (TcpStream, SocketAddr, Pass) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => match self.count(peer.ip()) {
                    Some(share) => {
                        let pass = Pass { _place: self.place().await, _share: share };
                        return (stream, peer, pass);
                    }
                    None => tracing::debug!("one connection too many from one address"),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    sleep(BREATH).await;
                }
            }
        }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = self.places.clone().try_acquire_owned() {
                return place;
            }
            self.crowded.notify_one();
            if let Ok(Ok(place)) = timeout(MAKES_ROOM, self.places.clone().acquire_owned()).await {
                return place;
            }
        }
    }

    /// `None` when this address has enough. Loopback and our own proxies speak for many and are not counted.
    #[must_use]
    pub fn count(&self, ip: IpAddr) -> Option<Share> {
        let ip = ip.to_canonical();
        if ip.is_loopback() || self.trusted.hold(ip) {
            return Some(Share(None));
        }
        let network = customer_of(ip);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(network).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Share(Some((self.taken.clone(), network))))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((taken, network)) = self.0.take() else { return };
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&network);
            }
        }
    }
}

/// One connection, until it ends, is cut by a limit, or may end because we do or because somebody else wants its place.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    mut closed: watch::Receiver<bool>,
    crowded: Arc<Notify>,
    _pass: Pass,
) {
    // Without it an answer of two small pieces waits for the other side's acknowledgement.
    let _ = stream.set_nodelay(true);
    let (answered, mut idle) = watch::channel(false);
    let answered = Arc::new(answered);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (router, answered) = (router.clone(), answered.clone());
        async move {
            answered.send_replace(false);
            let Ok(response) = router.oneshot(request.map(Body::new)).await;
            answered.send_replace(true);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(Watched { stream, unread: None }), service)
    );
    let told = async {
        tokio::select! {
            _ = closed.wait_for(|closed| *closed) => {}
            () = makes_room(&mut idle, &crowded) => {}
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Until nothing has been asked since the last answer, and of all that are idle this is so the longest, and its place is
/// wanted. An answer that is still being read is brought to its end.
async fn makes_room(idle: &mut watch::Receiver<bool>, crowded: &Notify) {
    while idle.wait_for(|idle| *idle).await.is_ok() {
        tokio::select! {
            () = crowded.notified() => return,
            _ = idle.changed() => {}
        }
    }
    // The connection is ending by itself.
    std::future::pending().await
}

/// A connection whose other side has to read: hyper has no limit for that.
struct Watched {
    stream: TcpStream,
    unread: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.unread = None;
            return written;
        }
        let limit = self.unread.get_or_insert_with(|| Box::pin(sleep(UNREAD)));
        match limit.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the answer is not read"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
