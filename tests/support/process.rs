//! The real binary at work beside the test's own application: on the same database, folder and sandbox.

use std::{process::Command as Shell, time::Duration};

use tokio::process::Child;

use super::{TestApp, free_port};

/// `nproxy start …`, killed with the test.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pub pid: u32,
    pub url: String,
}

impl Process {
    /// Runs jobs and nothing else.
    pub fn worker(app: &TestApp, settings: &[(&str, &str)]) -> Self {
        Self::start(app, &["start", "--worker"], settings)
    }

    /// Pages and nothing else; what they start waits in its row.
    pub fn web(app: &TestApp, settings: &[(&str, &str)]) -> Self {
        Self::start(app, &["start", "--server"], settings)
    }

    /// The admins' bot, at the sandbox's Telegram.
    pub fn bot(app: &TestApp, settings: &[(&str, &str)]) -> Self {
        let url = app.sandbox.url();
        let outside = [
            ("TELEGRAM_BOT_TOKEN", sandbox::telegram::BOT_TOKEN),
            ("TELEGRAM_API_URL", url.as_str()),
            ("BTCPAY_URL", url.as_str()),
            ("BTCPAY_STORE_ID", sandbox::btcpay::STORE_ID),
            ("BTCPAY_API_KEY", sandbox::btcpay::API_KEY),
            ("BTCPAY_WEBHOOK_SECRET", sandbox::btcpay::WEBHOOK_SECRET),
        ];
        Self::start(app, &["bot"], &[outside.as_slice(), settings].concat())
    }

    /// Pages, jobs and the timetable.
    pub fn all(app: &TestApp, settings: &[(&str, &str)]) -> Self {
        Self::start(app, &["start", "--all"], settings)
    }

    fn start(app: &TestApp, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(app.folder.path().join("processes.log"));
        let log = log.unwrap();
        let url = format!("http://localhost:{port}");
        let child = app
            .command()
            .args(arguments)
            .env("PORT", port.to_string())
            .env("APP_URL", &url)
            .env("GEMINI_BASE_URL", app.sandbox.url())
            .env("SMTP_PORT", app.sandbox.smtp_addr().port().to_string())
            .envs(settings.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { pid: child.id().unwrap(), url, child }
    }

    /// Waits until it answers.
    pub async fn is_up(&self) {
        super::eventually("the process to be up", || async { self.answers().await.then_some(()) }).await;
    }

    /// Whether it is up at this moment.
    pub async fn answers(&self) -> bool {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let answer = client.get(format!("{}/up", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// What the processes of this test have said so far.
    pub fn log(app: &TestApp) -> String {
        std::fs::read_to_string(app.folder.path().join("processes.log")).unwrap_or_default()
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL, and waits for the end.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGSTOP: it stands still and keeps its connections.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(mut self) {
        self.signal("-TERM");
        tokio::time::timeout(Duration::from_secs(40), self.child.wait()).await.expect("it stops").unwrap();
    }

    fn signal(&self, signal: &str) {
        assert!(Shell::new("kill").args([signal, &self.pid.to_string()]).status().unwrap().success());
    }
}
