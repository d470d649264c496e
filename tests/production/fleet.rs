//! A server as `docker-compose.yml` makes it, without containers: the real binary under production settings, several times.

use std::{fs, os::unix::fs::symlink, path::Path, process::Stdio, time::Duration};

use sandbox::Sandbox;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::{Finished, PATIENCE, TestDatabase, free_port, is_postgres, redis::Redis, s3::S3Server};

/// What the processes share.
pub struct Site {
    pub sandbox: Sandbox,
    pub s3: S3Server,
    pub redis: Option<Redis>,
    pub folder: TempDir,
    pub url: String,
    database: TestDatabase,
    /// More variables, which win.
    pub settings: Vec<(&'static str, String)>,
}

/// One process, killed with the test.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pub port: u16,
}

/// What a container of ours works in: of the source only what the image copies.
fn lay_out(home: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();
    for copied in dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let (from, to) = copied.split_once(' ').unwrap();
        if from != "." && !from.starts_with("--") && !to.starts_with('/') {
            fs::create_dir_all(home.join(to).parent().unwrap()).unwrap();
            symlink(root.join(from), home.join(to)).unwrap();
        }
    }
}

impl Site {
    /// On an empty database, whose people are to come to `url`.
    pub async fn prepare(url: &str) -> Self {
        let folder = TempDir::new().unwrap();
        lay_out(&folder.path().join("app"));
        let options = sandbox::Options { latency: Duration::ZERO, ..Default::default() };
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
            s3: S3Server::start().await,
            redis: Redis::start().await,
            database: TestDatabase::empty(folder.path(), is_postgres()).await,
            folder,
            url: url.to_owned(),
            settings: Vec::new(),
        }
    }

    /// `nproxy` with nothing in its environment but what a server's `.env` would put there.
    pub fn nproxy(&self, arguments: &[&str]) -> Command {
        let s3 = self.s3.settings();
        let btcpay = sandbox::btcpay::settings(&self.sandbox.url());
        let text = |name: &str| btcpay[name].as_str().unwrap().to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_nproxy"));
        command
            .current_dir(self.folder.path().join("app"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("LOCO_ENV", "production")
            .env("BINDING", "127.0.0.1")
            .env("APP_URL", &self.url)
            .env("NPROXY_SECRET_KEY", "of the tests, and more than thirty-two bytes long")
            .env("DATABASE_URL", &self.database.url)
            .env("DATABASE_POOL", "10")
            .env("REDIS_URL", self.redis.as_ref().map(Redis::url).unwrap_or_default())
            .env("SMTP_HOST", "127.0.0.1")
            .env("SMTP_PORT", self.sandbox.smtp_addr().port().to_string())
            .env("SMTP_TLS", "false")
            .env("MAILER_FROM", "nproxy <studio@example.com>")
            .env("S3_ENDPOINT", s3.s3_endpoint)
            .env("S3_REGION", s3.s3_region)
            .env("S3_BUCKET", s3.s3_bucket)
            .env("S3_ACCESS_KEY_ID", s3.s3_access_key_id)
            .env("S3_SECRET_ACCESS_KEY", s3.s3_secret_access_key.expose_secret())
            .env("GEMINI_BASE_URL", self.sandbox.url())
            .env("BTCPAY_URL", text("url"))
            .env("BTCPAY_STORE_ID", text("store_id"))
            .env("BTCPAY_API_KEY", text("api_key"))
            .env("BTCPAY_WEBHOOK_SECRET", text("webhook_secret"))
            .envs(self.settings.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Starts a process on a port, and does not wait for it.
    pub fn launch_on(&self, port: u16, arguments: &[&str]) -> Process {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log(port)).unwrap();
        let child = self
            .nproxy(arguments)
            .env("PORT", port.to_string())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Process { child, port }
    }

    /// Starts a process and waits until it says that it lives.
    pub async fn start(&self, arguments: &[&str]) -> Process {
        let process = self.launch_on(free_port(), arguments);
        self.lives(&process).await;
        process
    }

    pub async fn lives(&self, process: &Process) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while self.health(process.port).await.code != Some(0) {
            assert!(tokio::time::Instant::now() < end, "it does not live: {}", self.said(process.port));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// `nproxy health`, as the container asks.
    pub async fn health(&self, port: u16) -> Finished {
        Finished::of(self.nproxy(&["health"]).env("PORT", port.to_string())).await
    }

    /// `nproxy task …`
    pub async fn task(&self, arguments: &[&str]) -> Finished {
        Finished::of(&mut self.nproxy(&[&["task"], arguments].concat())).await
    }

    /// What processes on this port have written.
    pub fn said(&self, port: u16) -> String {
        std::fs::read_to_string(self.log(port)).unwrap()
    }

    fn log(&self, port: u16) -> std::path::PathBuf {
        self.folder.path().join(format!("{port}.log"))
    }

    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    pub async fn close(self) {
        self.database.drop().await;
    }
}

impl Process {
    /// SIGKILL, and waits for the end.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM, and waits for the end: its exit code.
    pub async fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        tokio::time::timeout(Duration::from_secs(40), self.child.wait()).await.expect("it stops").unwrap().code()
    }
}
