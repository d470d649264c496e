//! A forward proxy that can misbehave: HTTP (absolute form and `CONNECT`) or SOCKS5.

mod http;
mod socks;

use std::{
    collections::HashSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::host::{Host, lock};

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// What the proxy speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyKind {
    #[default]
    Http,
    Socks5,
}

/// How the proxy fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyFault {
    /// 407, as squid answers; SOCKS5: the password is refused.
    Refuse407,
    /// 401 with an HTML page, as tinyproxy answers to a wrong password; SOCKS5: the password is refused.
    Refuse401,
    /// A gateway page with 502; SOCKS5: general failure.
    Html502,
    /// Closes the connection without a word.
    Drop,
    /// Reads and never answers.
    Hang,
}

/// How a proxy shall be.
#[derive(Clone, Debug, Default)]
pub struct ProxyOptions {
    pub kind: ProxyKind,
    /// Name and password it asks for.
    pub auth: Option<(String, String)>,
    pub fault: Option<ProxyFault>,
}

/// A running proxy on a free port of loopback; dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    _host: Host,
}

#[derive(Debug)]
struct Shared {
    kind: ProxyKind,
    auth: Option<(String, String)>,
    fault: Mutex<Option<ProxyFault>>,
    connections: AtomicUsize,
    tunnels: AtomicUsize,
}

impl Shared {
    fn let_through(&self) {
        self.tunnels.fetch_add(1, Ordering::SeqCst);
    }
}

impl Proxy {
    /// Starts a proxy.
    ///
    /// # Errors
    /// When no port or no thread can be had.
    #[allow(clippy::unused_async, reason = "part of the agreed interface")]
    pub async fn start(o: ProxyOptions) -> io::Result<Self> {
        let host = Host::new("sandbox-proxy")?;
        let listener = host.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            kind: o.kind,
            auth: o.auth,
            fault: Mutex::new(o.fault),
            connections: AtomicUsize::new(0),
            tunnels: AtomicUsize::new(0),
        });
        host.spawn(accept(listener, shared.clone()));
        Ok(Self { addr, shared, _host: host })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://name:password@127.0.0.1:PORT` or `socks5h://…`.
    pub fn url(&self) -> String {
        let scheme = match self.shared.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5h",
        };
        let who = self.shared.auth.as_ref().map(|(name, password)| format!("{name}:{password}@")).unwrap_or_default();
        format!("{scheme}://{who}{}", self.addr)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Connections that were let through to a target so far.
    pub fn tunnels(&self) -> usize {
        self.shared.tunnels.load(Ordering::SeqCst)
    }

    /// Changes how it fails, from the next connection on.
    pub fn fail(&self, fault: Option<ProxyFault>) {
        *lock(&self.shared.fault) = fault;
    }
}

/// Local addresses of connections that proxies of this process hold to their targets.
static OURS: LazyLock<Mutex<HashSet<SocketAddr>>> = LazyLock::new(Mutex::default);

/// Whether the connection from this address was opened by a proxy of this process.
pub(crate) fn is_ours(peer: SocketAddr) -> bool {
    lock(&OURS).contains(&peer)
}

/// A connection to a target, known as ours while it lasts.
struct Outgoing {
    stream: TcpStream,
    local: SocketAddr,
}

impl Outgoing {
    async fn open(target: &str) -> io::Result<Self> {
        let stream = timeout(CONNECT_PATIENCE, TcpStream::connect(target))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let local = stream.local_addr()?;
        lock(&OURS).insert(local);
        Ok(Self { stream, local })
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        lock(&OURS).remove(&self.local);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let shared = shared.clone();
                tokio::spawn(async move {
                    let served = match shared.kind {
                        ProxyKind::Http => http::serve(stream, &shared).await,
                        ProxyKind::Socks5 => socks::serve(stream, &shared).await,
                    };
                    if let Err(error) = served {
                        tracing::debug!(%error, "sandbox proxy connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "sandbox proxy cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn hang(mut stream: TcpStream) -> io::Result<()> {
    let mut nowhere = [0; 1024];
    while stream.read(&mut nowhere).await? > 0 {}
    Ok(())
}
