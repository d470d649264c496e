//! A Redis of our own, to be flushed, filled, stopped and killed.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use durable_jobs::{DurableQueue, RedisSettings, Settings};
use redis::{AsyncCommands, AsyncConnectionConfig, aio::MultiplexedConnection};
use serde_json::Value;
use tokio::time::sleep;

use crate::support::{Bench, DEADLINE, until};

/// Killed, and its folder removed, when dropped.
pub struct Server {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

/// A server, unless there is none on this machine, which `REQUIRE_REDIS=1` makes a failure.
pub async fn server() -> Option<Server> {
    if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var("REQUIRE_REDIS").is_err(), "redis-server is missing: bin/setup --for test");
        println!("not run: redis-server is missing");
        return None;
    }
    Some(Server::start().await)
}

impl Server {
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_on(port).await
    }

    pub async fn start_on(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, folder, port };
        until(async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        server
    }

    pub fn url(&self) -> String {
        url(self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As a power cut would; what was in it is gone.
    pub fn kill(mut self) -> u16 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        assert!(self.folder.path().exists());
        self.port
    }

    /// SIGSTOP: connections stay open and nobody answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// A connection that sees it as an operator would.
    pub async fn connection(&self) -> MultiplexedConnection {
        let patient =
            AsyncConnectionConfig::new().set_connection_timeout(Some(DEADLINE)).set_response_timeout(Some(DEADLINE));
        let client = redis::Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection_with_config(&patient).await.unwrap()
    }

    /// A provider with the shortest times that make sense.
    pub fn queue(&self, bench: &Bench, settings: Settings) -> DurableQueue {
        queue(bench, settings, self.port)
    }

    /// What lies on a queue, the oldest last.
    pub async fn waiting(&self, queue: &str) -> Vec<Value> {
        let all: Vec<String> = self.connection().await.lrange(format!("queue:{queue}"), 0, -1).await.unwrap();
        all.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    /// What a sorted set holds, with its scores.
    pub async fn set(&self, name: &str) -> Vec<(Value, f64)> {
        let all: Vec<(String, f64)> = self.connection().await.zrange_withscores(name, 0, -1).await.unwrap();
        all.into_iter().map(|(text, score)| (serde_json::from_str(&text).unwrap(), score)).collect()
    }

    pub async fn push(&self, queue: &str, text: &str) {
        let mut connection = self.connection().await;
        let _: () = connection.sadd("queues", queue).await.unwrap();
        let _: () = connection.lpush(format!("queue:{queue}"), text).await.unwrap();
    }

    pub async fn run<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query_async(&mut self.connection().await).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/0")
}

pub fn settings(port: u16) -> RedisSettings {
    RedisSettings {
        patience: Duration::from_secs(1),
        look_every: Duration::from_millis(10),
        beat_every: Duration::from_millis(200),
        silence: Duration::from_secs(10),
        show_every: Duration::from_millis(100),
        ..RedisSettings::new(url(port))
    }
}

pub fn queue(bench: &Bench, settings_of_jobs: Settings, port: u16) -> DurableQueue {
    DurableQueue::redis(bench.db.clone(), settings_of_jobs, settings(port)).unwrap()
}

/// Nothing but a hint wakes such a runner.
pub fn only_hints(settings: Settings) -> Settings {
    let never = Duration::from_secs(3600);
    Settings { poll_every: never, sweep_every: never, ..settings }
}

/// Time for a runner to have looked at an empty table and gone to sleep.
pub async fn settled() {
    sleep(Duration::from_millis(300)).await;
}
