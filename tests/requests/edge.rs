//! The edge of the server, through the real binary: slow and greedy clients, wrong names, and the end of the process.

use std::{
    net::TcpListener as Std,
    time::{Duration, Instant},
};

use nproxy::{
    initializers::serving::Door,
    settings::{Edge, Networks},
};
use reqwest::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Child,
    time::timeout,
};

use crate::support::{PATIENCE, Setup, TestApp, eventually, nproxy};

/// A server of its own beside the test's application, on the same database.
pub(super) struct Server {
    pub port: u16,
    child: Child,
}

impl Server {
    async fn start(app: &TestApp) -> Self {
        Self::on(app, app.database_url()).await
    }

    pub async fn on(app: &TestApp, database: &str) -> Self {
        Self::with(app, database, &[]).await
    }

    async fn with(app: &TestApp, database: &str, settings: &[(&str, &str)]) -> Self {
        let port = Std::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(app.folder.path().join("server.log")).unwrap();
        let child = nproxy(database, app.folder.path())
            .args(["start", "--server-and-worker"])
            .env("PORT", port.to_string())
            .env("APP_URL", format!("http://localhost:{port}"))
            .env("SMTP_PORT", app.sandbox.smtp_addr().port().to_string())
            .envs(settings.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { port, child };
        eventually("the server", || async { server.get("/up").await.ok().filter(|status| *status == 200) }).await;
        server
    }

    async fn get(&self, path: &str) -> reqwest::Result<StatusCode> {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(client.get(format!("http://localhost:{}{path}", self.port)).send().await?.status())
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends this and reads to the end of the connection.
    async fn say(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn quiet() -> TestApp {
    TestApp::with(Setup { jobs: false, ..Setup::default() }).await
}

/// X54: three hundred connections that never finish their head, or their body, keep nobody else from the site, and are
/// gone soon.
#[tokio::test]
async fn slow_connections_keep_nobody_out() {
    let app = quiet().await;
    let server = Server::start(&app).await;
    let mut slow = Vec::new();
    let began = Instant::now();
    for n in 0..300 {
        let mut stream = server.connect().await;
        let head = if n % 2 == 0 {
            "GET /login HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".to_owned()
        } else {
            format!(
                "POST /login HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nemail=",
                server.port
            )
        };
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push((n, stream));
    }
    for _ in 0..20 {
        assert_eq!(server.get("/login").await.unwrap(), 200);
    }
    assert!(began.elapsed() < PATIENCE, "answers come while the slow ones wait: {:?}", began.elapsed());
    for (n, mut stream) in slow {
        let said = rest(&mut stream).await;
        if n % 2 == 1 {
            assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
            assert!(said.contains("too_slow"), "{said}");
        } else {
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
    assert_eq!(server.get("/login").await.unwrap(), 200);
    drop(server);
    app.finish().await;
}

/// Where all places are taken, whoever has asked nothing for the longest makes room at once, and nobody else has to.
#[tokio::test]
async fn an_idle_connection_makes_room() {
    let app = quiet().await;
    let server = Server::with(&app, app.database_url(), &[("MAX_CONNECTIONS", "8")]).await;
    let request = format!("GET /up HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", server.port);
    let ask = async |stream: &mut TcpStream| {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = timeout(PATIENCE, stream.read(&mut answer)).await.expect("an answer").unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..read]));
    };
    let mut idle = Vec::new();
    for _ in 0..8 {
        let mut stream = server.connect().await;
        ask(&mut stream).await;
        idle.push(stream);
    }
    let began = Instant::now();
    let mut next = server.connect().await;
    ask(&mut next).await;
    assert!(began.elapsed() < Duration::from_secs(5), "within the time of a head: {:?}", began.elapsed());
    assert_eq!(rest(&mut idle[0]).await, "", "its place went to the next one");
    for stream in &mut idle[1..] {
        ask(stream).await;
    }
    drop(server);
    app.finish().await;
}

/// X44, X53: what is not for us, or cannot be read, is refused in one sentence, and the connection ends.
#[tokio::test]
async fn strange_requests_are_refused() {
    let app = quiet().await;
    let server = Server::start(&app).await;
    let ours = format!("localhost:{}", server.port);
    let end = "Connection: close\r\n\r\n";
    for (request, status) in [
        (format!("GET /login HTTP/1.1\r\nHost: {ours}\r\n{end}"), "200"),
        (format!("GET /login HTTP/1.1\r\nHost: LOCALHOST\r\n{end}"), "200"),
        (format!("GET /login HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{end}", server.port), "200"),
        (format!("GET /login HTTP/1.1\r\nHost: evil.example\r\n{end}"), "421"),
        (format!("GET /login HTTP/1.1\r\nHost: localhost.evil.example\r\n{end}"), "421"),
        (format!("GET /login HTTP/1.1\r\nHost: localhost@evil.example\r\n{end}"), "421"),
        (format!("GET http://evil.example/login HTTP/1.1\r\nHost: {ours}\r\n{end}"), "421"),
        (format!("GET /login HTTP/1.1\r\nHost: {ours}\r\nHost: evil.example\r\n{end}"), "421"),
        (format!("GET /login HTTP/1.1\r\n{end}"), "421"),
        (format!("GET /login HTTP/1.1\r\nHost: {ours}\r\nX-Forwarded-Host: evil.example\r\n{end}"), "200"),
        (format!("GET /up HTTP/1.1\r\nHost: 10.1.2.3:9\r\n{end}"), "200"),
        (format!("GET /login HTTP/1.1\r\nHost: {ours}\r\nX-Long: {}\r\n{end}", "x".repeat(100_000)), "431"),
        (format!("GET /login HTTP/1.1\r\nHost: {ours}\r\n{}{end}", "X-Many: x\r\n".repeat(300)), "431"),
        ("GARBAGE\r\n\r\n".to_owned(), "400"),
        (format!("POST /login HTTP/1.1\r\nHost: {ours}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nemail"), "400"),
    ] {
        let said = server.say(&request).await;
        let shown = &request[..request.len().min(120)];
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {said}");
        assert!(!said.contains("evil.example"), "{shown}: {said}");
    }
    drop(server);
    app.finish().await;
}

/// A process that is told to end finishes what is under way, takes nothing new, and is gone.
#[tokio::test]
async fn the_end_is_in_order() {
    let app = quiet().await;
    let mut server = Server::start(&app).await;
    let mut under_way = server.connect().await;
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 30\r\n\r\nemail=a%40",
        server.port
    );
    under_way.write_all(head.as_bytes()).await.unwrap();
    let _idle = server.connect().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.signal("-TERM");
    eventually("nobody new is let in", || async { server.get("/up").await.is_err().then_some(()) }).await;
    under_way.write_all(b"example.com&password").await.unwrap();
    let said = rest(&mut under_way).await;
    assert!(said.starts_with("HTTP/1.1 ") && !said.starts_with("HTTP/1.1 5"), "{said}");
    let status = timeout(PATIENCE, server.child.wait()).await.expect("it ends").unwrap();
    assert!(status.success(), "{status}");
    app.finish().await;
}

/// One address has so many connections and no more; those who speak for many are not counted.
#[test]
fn an_address_has_so_many_connections() {
    let edge = Edge { connections_per_address: 2, ..Edge::default() };
    let door = Door::new(&edge, Networks::parse("10.0.0.0/8").unwrap());
    let come = |ip: &str| door.count(ip.parse().unwrap());
    let first = come("203.0.113.9");
    let _second = come("::ffff:203.0.113.9");
    assert!(first.is_some() && come("203.0.113.9").is_none());
    let (_a, _b) = (come("2001:db8::1"), come("2001:db8::2"));
    assert!(come("2001:db8::3").is_none(), "one customer has a /64");
    assert!(come("2001:db8:0:1::3").is_some(), "this is another");
    for many in ["127.0.0.1", "::1", "10.1.2.3"] {
        let all: Vec<_> = (0..3).map(|_| come(many)).collect();
        assert!(all.iter().all(Option::is_some), "{many} speaks for many");
    }
    drop(first);
    assert!(come("203.0.113.9").is_some(), "a place became free");
}
