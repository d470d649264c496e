//! A Redis of a test's own, or a database of its own in the one that all tests share.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

use super::free_port;

/// As many as `bin/test` gives its Redis.
const DATABASES: usize = 4096;

/// The next database of the Redis in `TEST_REDIS_URL`, which `bin/test --server` starts: hints reach the processes of the
/// application that sent them, and nobody else takes them. Only the word that there are hints is heard in every database,
/// and who hears it without need looks once and finds none.
pub fn of_the_run() -> Option<String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let url = std::env::var("TEST_REDIS_URL").ok().filter(|url| !url.is_empty())?;
    let (server, _) = url.rsplit_once('/').unwrap();
    Some(format!("{server}/{}", NEXT.fetch_add(1, Ordering::Relaxed) % DATABASES))
}

/// Killed with the test. It keeps nothing when it dies.
#[derive(Debug)]
pub struct Redis {
    server: Child,
    folder: TempDir,
    port: u16,
}

impl Redis {
    /// `None` where none is installed, which `REQUIRE_REDIS=1` makes a failure.
    pub async fn start() -> Option<Self> {
        let port = free_port();
        let folder = TempDir::new().unwrap();
        let Ok(server) = launch(port, &folder) else {
            assert!(std::env::var("REQUIRE_REDIS").is_err(), "redis-server is missing: bin/setup --for test");
            println!("not run: redis-server is missing");
            return None;
        };
        let redis = Self { server, folder, port };
        redis.answers().await;
        Some(redis)
    }

    async fn answers(&self) {
        super::eventually("Redis", || async { TcpStream::connect(("127.0.0.1", self.port)).await.ok() }).await;
    }

    /// SIGKILL: what was in it is gone.
    pub async fn dies(&mut self) {
        self.server.kill().await.unwrap();
    }

    /// Starts it on its old port, empty.
    pub async fn again(&mut self) {
        self.server = launch(self.port, &self.folder).unwrap();
        self.answers().await;
    }

    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// As if it were at another port, where a line leads to it.
    pub fn url_at(&self, port: u16) -> String {
        format!("redis://:of%20the%20tests@127.0.0.1:{port}/0")
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What it answers to one command, as it stands on the wire.
    pub async fn ask(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        connection.write_all(format!("AUTH \"of the tests\"\r\n{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        let reading = connection.read_to_string(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("Redis answers").unwrap();
        answer
    }
}

fn launch(port: u16, folder: &TempDir) -> std::io::Result<Child> {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--requirepass", "of the tests"])
        .arg("--dir")
        .arg(folder.path())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
}
