//! The release binary at work, as on a server: its processes, and what the kernel says they took.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{Result, wire::Wire};

/// Kernel ticks in a second; `USER_HZ` is 100 on every Linux that we run on.
const TICKS: f64 = 100.0;

/// Longer than any start takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where everything stands.
#[derive(Debug, Clone)]
pub struct Place {
    pub binary: PathBuf,
    pub folder: PathBuf,
    pub database: String,
    pub redis: Option<String>,
    /// The first process of the database's server.
    pub postgres_pid: Option<u32>,
    pub redis_pid: Option<u32>,
    pub upstream: String,
    pub smtp_port: u16,
}

/// The two ways to run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One process, `SQLite`, hints inside it.
    Embedded,
    /// Web and worker, `PostgreSQL`, hints through Redis.
    Served,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "SQLite, one process",
            Self::Served => "PostgreSQL + Redis, web and worker",
        }
    }

    pub fn short(self) -> &'static str {
        match self {
            Self::Embedded => "sqlite",
            Self::Served => "postgres",
        }
    }
}

/// Processes of ours.
pub struct House {
    children: Vec<Child>,
    pub port: u16,
    /// Where the process that runs jobs shows its measures.
    pub metrics: u16,
    /// From the start of the first process until it says that it is ready.
    pub ready: Duration,
}

impl Place {
    fn command(&self, port: u16, metrics: u16) -> Result<Command> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("nproxy.log"))?;
        let mut command = Command::new(&self.binary);
        command
            .env("LOCO_ENV", "production")
            .env("BINDING", "127.0.0.1")
            .env("PORT", port.to_string())
            .env("METRICS_PORT", metrics.to_string())
            .env("APP_URL", format!("http://localhost:{port}"))
            .env("NPROXY_SECRET_KEY", crate::seeds::SECRET_KEY)
            .env("DATABASE_URL", &self.database)
            .env("REDIS_URL", self.redis.clone().unwrap_or_default())
            .env("STORAGE_DIR", self.folder.join("files"))
            .env("GEMINI_BASE_URL", &self.upstream)
            .env("SMTP_HOST", "127.0.0.1")
            .env("SMTP_PORT", self.smtp_port.to_string())
            .env("SMTP_TLS", "false")
            .env("MAILER_FROM", "nproxy <studio@example.com>")
            .env("TRUSTED_PROXIES", "127.0.0.1")
            // As in the Dockerfile.
            .env("MALLOC_ARENA_MAX", "2")
            .env("MALLOC_MMAP_THRESHOLD_", "262144")
            .env("MALLOC_TRIM_THRESHOLD_", "262144")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    /// Starts what this mode is made of.
    pub async fn start(&self, mode: Mode) -> Result<House> {
        let (port, metrics) = (free_port()?, free_port()?);
        let began = Instant::now();
        let mut house = House { children: Vec::new(), port, metrics, ready: Duration::ZERO };
        match mode {
            Mode::Embedded => house.children.push(self.command(port, metrics)?.args(["start", "--all"]).spawn()?),
            Mode::Served => {
                house.children.push(self.command(port, free_port()?)?.args(["start", "--server"]).spawn()?);
                let mut worker = self.command(free_port()?, metrics)?;
                house.children.push(worker.args(["start", "--worker"]).spawn()?);
            }
        }
        while !is_ready(port).await {
            if began.elapsed() > PATIENCE
                || house.children.iter_mut().any(|child| child.try_wait().is_ok_and(|it| it.is_some()))
            {
                return Err(format!("nproxy does not start: see {}", self.folder.join("nproxy.log").display()).into());
            }
            sleep(Duration::from_millis(5)).await;
        }
        house.ready = began.elapsed();
        Ok(house)
    }

    /// A task of the same binary; what it says, and whether it worked.
    pub fn task(&self, words: &[&str]) -> Result<(bool, String)> {
        let output = self.command(free_port()?, 0)?.arg("task").args(words).stdout(Stdio::piped()).output()?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Processor seconds of the databases so far.
    pub fn databases(&self) -> f64 {
        [self.postgres_pid, self.redis_pid].into_iter().flatten().map(family).sum()
    }
}

impl House {
    /// Processor seconds of our processes so far, user and system.
    pub fn processor(&self) -> f64 {
        self.children.iter().map(|child| seconds(child.id()).0).sum()
    }

    /// How often a thread of our processes has made way for another so far, because it had to wait: what the processor time of
    /// small questions mostly comes to, and much the same on any machine.
    pub fn switches(&self) -> f64 {
        self.children.iter().map(|child| switches(child.id())).sum()
    }

    /// Resident memory of the largest of our processes now, and at most so far; MB.
    pub fn resident(&self) -> (f64, f64) {
        let most = |name| self.children.iter().map(|child| memory(child.id(), name)).fold(0.0, f64::max);
        (most("VmRSS:"), most("VmHWM:"))
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(mut self) -> Result<()> {
        for child in &self.children {
            Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
        }
        for child in &mut self.children {
            child.wait()?;
        }
        self.children.clear();
        Ok(())
    }

    /// A sum and a count of the measures, as Prometheus reads them.
    pub async fn measure(&self, name: &str) -> Result<(f64, f64)> {
        let answer = Wire::open(self.metrics).await?.get(None, "/metrics", None, false).await?;
        let text = answer.text().into_owned();
        let of = |suffix: &str| {
            let line = format!("{name}_{suffix} ");
            text.lines().find_map(|it| it.strip_prefix(&line)).and_then(|it| it.trim().parse().ok()).unwrap_or(0.0)
        };
        Ok((of("sum"), of("count")))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn is_ready(port: u16) -> bool {
    let Ok(mut wire) = Wire::open(port).await else { return false };
    wire.get(None, "/ready", None, false).await.is_ok_and(|answer| answer.status == 200)
}

/// Below those that the system hands out by itself.
fn free_port() -> Result<u16> {
    loop {
        let port = rand::random_range(20_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
}

/// Processor seconds of a process, and of its children that have ended.
fn seconds(pid: u32) -> (f64, f64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program, in parentheses, may hold anything.
    let fields: Vec<f64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().map(|it| it.parse().unwrap_or(0.0)).collect())
        .unwrap_or_default();
    let at = |index: usize| fields.get(index).copied().unwrap_or(0.0);
    ((at(11) + at(12)) / TICKS, (at(13) + at(14)) / TICKS)
}

/// Of all threads that a process has now.
fn switches(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.map(|thread| number_in(&thread.path().join("status"), "voluntary_ctxt_switches:")).sum()
}

/// A process with all that it has started.
fn family(pid: u32) -> f64 {
    let mut parents: HashMap<u32, u32> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        parents.insert(id, parent.unwrap_or(0));
    }
    let (own, ended) = seconds(pid);
    own + ended + parents.iter().filter(|(_, parent)| **parent == pid).map(|(id, _)| seconds(*id).0).sum::<f64>()
}

/// Processor seconds of this process: the driver with the sandbox in it.
pub fn driver() -> f64 {
    seconds(std::process::id()).0
}

fn memory(pid: u32, name: &str) -> f64 {
    number_in(Path::new(&format!("/proc/{pid}/status")), name) / 1024.0
}

/// Of a line that begins with a name.
fn number_in(file: &Path, name: &str) -> f64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// The size of a file, MB.
pub fn megabytes(path: &Path) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a file of ours")]
    let bytes = fs::metadata(path).map_or(0.0, |it| it.len() as f64);
    bytes / 1024.0 / 1024.0
}
