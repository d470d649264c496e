//! A forward proxy that can misbehave: HTTP (absolute form and `CONNECT`) or SOCKS5.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::host::{Host, lock};

const MAX_HEAD_BYTES: usize = 64 * 1024;
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
                        ProxyKind::Http => http(stream, &shared).await,
                        ProxyKind::Socks5 => socks(stream, &shared).await,
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

async fn http(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let fault = *lock(&shared.fault);
    if fault == Some(ProxyFault::Hang) {
        return hang(client).await;
    }
    let Some((head, rest)) = read_head(&mut client).await? else {
        return Ok(());
    };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return page(&mut client, 400, "Bad Request", "").await;
    };
    let headers: Vec<(&str, &str)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim())).collect();

    match fault {
        Some(ProxyFault::Drop) => return Ok(()),
        Some(ProxyFault::Refuse407) => return refuse(&mut client).await,
        Some(ProxyFault::Refuse401) => return page(&mut client, 401, "Unauthorized", "").await,
        Some(ProxyFault::Html502) => return page(&mut client, 502, "Bad Gateway", "").await,
        Some(ProxyFault::Hang) | None => {}
    }
    if let Some((name, password)) = &shared.auth {
        let expected = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
        if !headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("proxy-authorization") && *value == expected) {
            return refuse(&mut client).await;
        }
    }

    if method == "CONNECT" {
        let Ok(mut out) = Outgoing::open(target).await else {
            return page(&mut client, 502, "Bad Gateway", "").await;
        };
        shared.tunnels.fetch_add(1, Ordering::SeqCst);
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        out.stream.write_all(&rest).await?;
        copy_bidirectional(&mut client, &mut out.stream).await?;
        return Ok(());
    }

    let Some((authority, path)) =
        target.strip_prefix("http://").map(|url| url.split_at(url.find('/').unwrap_or(url.len())))
    else {
        return page(&mut client, 400, "Bad Request", "").await;
    };
    let address = if authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let Ok(mut out) = Outgoing::open(&address).await else {
        return page(&mut client, 502, "Bad Gateway", "").await;
    };
    shared.tunnels.fetch_add(1, Ordering::SeqCst);
    let path = if path.is_empty() { "/" } else { path };
    let mut forward = format!("{method} {path} {version}\r\n");
    for (name, value) in headers {
        let hop = ["proxy-authorization", "proxy-connection", "connection", "keep-alive"];
        if !hop.iter().any(|hop| name.eq_ignore_ascii_case(hop)) {
            forward.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    // One request per connection keeps the stand-in simple and is allowed.
    forward.push_str("Via: 1.1 sandbox-proxy\r\nConnection: close\r\n\r\n");
    out.stream.write_all(forward.as_bytes()).await?;
    out.stream.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut out.stream).await?;
    Ok(())
}

/// The head of a request, and what was read beyond it.
async fn read_head(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&read[..end]).into_owned(), rest)));
        }
        if read.len() > MAX_HEAD_BYTES || client.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
    }
}

async fn refuse(client: &mut TcpStream) -> io::Result<()> {
    page(client, 407, "Proxy Authentication Required", "Proxy-Authenticate: Basic realm=\"sandbox\"\r\n").await
}

async fn page(client: &mut TcpStream, code: u16, reason: &str, headers: &str) -> io::Result<()> {
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>{code} {reason}</title></head>\n<body><h1>{reason}</h1>\n<hr>\n\
         <p><em>Generated by sandbox-proxy.</em></p></body></html>\n"
    );
    let head = format!(
        "HTTP/1.1 {code} {reason}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(body.as_bytes()).await?;
    client.shutdown().await
}

const SOCKS: u8 = 5;
const NO_AUTH: u8 = 0;
const PASSWORD: u8 = 2;
const NOTHING_SUITS: u8 = 0xff;
const CONNECT: u8 = 1;

async fn socks(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let fault = *lock(&shared.fault);
    match fault {
        Some(ProxyFault::Hang) => return hang(client).await,
        Some(ProxyFault::Drop) => return Ok(()),
        Some(ProxyFault::Refuse407 | ProxyFault::Refuse401 | ProxyFault::Html502) | None => {}
    }
    let refused = matches!(fault, Some(ProxyFault::Refuse407 | ProxyFault::Refuse401));
    if !greet(&mut client, shared, refused).await? {
        return Ok(());
    }

    let [version, command, _, kind] = take::<4>(&mut client).await?;
    let target = match kind {
        1 => SocketAddr::from((IpAddr::from(Ipv4Addr::from(take::<4>(&mut client).await?)), port(&mut client).await?))
            .to_string(),
        4 => SocketAddr::from((IpAddr::from(Ipv6Addr::from(take::<16>(&mut client).await?)), port(&mut client).await?))
            .to_string(),
        3 => {
            let name = text(&mut client).await?;
            format!("{name}:{}", port(&mut client).await?)
        }
        _ => return answer(&mut client, 8).await,
    };
    if version != SOCKS || command != CONNECT {
        return answer(&mut client, 7).await;
    }
    if fault == Some(ProxyFault::Html502) {
        return answer(&mut client, 1).await;
    }
    let Ok(mut out) = Outgoing::open(&target).await else {
        return answer(&mut client, 5).await;
    };
    shared.tunnels.fetch_add(1, Ordering::SeqCst);
    answer(&mut client, 0).await?;
    copy_bidirectional(&mut client, &mut out.stream).await?;
    Ok(())
}

/// Agrees on a method and checks the password; says whether to go on.
async fn greet(client: &mut TcpStream, shared: &Shared, refused: bool) -> io::Result<bool> {
    let [version, count] = take::<2>(client).await?;
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods).await?;
    let wanted = if shared.auth.is_some() || (refused && methods.contains(&PASSWORD)) { PASSWORD } else { NO_AUTH };
    if version != SOCKS || !methods.contains(&wanted) || (refused && wanted == NO_AUTH) {
        client.write_all(&[SOCKS, NOTHING_SUITS]).await?;
        return Ok(false);
    }
    client.write_all(&[SOCKS, wanted]).await?;
    if wanted == NO_AUTH {
        return Ok(true);
    }
    let [_] = take::<1>(client).await?;
    let given = (text(client).await?, text(client).await?);
    let right = !refused && shared.auth.as_ref() == Some(&given);
    client.write_all(&[1, u8::from(!right)]).await?;
    Ok(right)
}

async fn answer(client: &mut TcpStream, reply: u8) -> io::Result<()> {
    client.write_all(&[SOCKS, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

async fn take<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn port(client: &mut TcpStream) -> io::Result<u16> {
    take::<2>(client).await.map(u16::from_be_bytes)
}

async fn text(client: &mut TcpStream) -> io::Result<String> {
    let [length] = take::<1>(client).await?;
    let mut bytes = vec![0; length.into()];
    client.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
