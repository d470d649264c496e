//! A PostgreSQL of a test's own: it may be killed, stand still and come back.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use tempfile::TempDir;

use super::free_port;

/// Ends with the test.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    /// It refuses to run as root.
    owner: Option<(u32, u32)>,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    /// `None` where none is installed: whoever tests with `PostgreSQL` may have it on another machine.
    pub async fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            println!("not run: PostgreSQL is missing on this machine: bin/setup --for postgres");
            return None;
        };
        let (folder, owner) = (TempDir::new().unwrap(), owner());
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let mut server = Self { folder, programs, owner, port: free_port(), server: None };
        let wishes = ["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        let made = server.command("initdb").args(wishes).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.again().await;
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// At once and without a word to anybody, as when the machine dies: what is not committed is gone.
    pub async fn dies(&mut self) {
        let mut server = self.server.take().expect("it runs");
        signal("-QUIT", server.id());
        tokio::task::spawn_blocking(move || server.wait()).await.unwrap().unwrap();
    }

    /// Starts it on its old port, and waits until it answers.
    pub async fn again(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.path().join("server.log")).unwrap();
        let port = self.port.to_string();
        let mut command = self.command("postgres");
        command.args(["-D", "data", "-p", &port, "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "unix_socket_directories=", "-c", "max_connections=400"]);
        // A process that dies loses nothing of it; only a machine would.
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
        self.server = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let mut options = ConnectOptions::new(self.url());
        options.connect_timeout(Duration::from_secs(1)).sqlx_logging(false).max_connections(1);
        super::eventually("PostgreSQL", || async {
            let db = Database::connect(options.clone()).await.ok()?;
            let answer = db.execute_unprepared("SELECT 1").await.ok().map(drop);
            db.close().await.unwrap();
            answer
        })
        .await;
    }

    /// It takes connections and says nothing any more.
    pub fn freezes(&self) {
        for process in self.processes() {
            signal("-STOP", process);
        }
    }

    pub fn thaws(&self) {
        for process in self.processes() {
            signal("-CONT", process);
        }
    }

    /// The server and those who serve one connection each.
    fn processes(&self) -> Vec<u32> {
        let server = self.server.as_ref().expect("it runs").id();
        let parent = |stat: &str| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok();
        let all = std::fs::read_dir("/proc").unwrap();
        let pids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
        let children = pids.filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            parent(&stat) == Some(server)
        });
        std::iter::once(server).chain(children).collect()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.thaws();
        }
        if let Some(mut server) = self.server.take() {
            signal("-QUIT", server.id());
            let _ = server.wait();
        }
    }
}

fn signal(signal: &str, process: u32) {
    // Who serves a connection may have ended by itself meanwhile.
    let _ = Command::new("kill").args([signal, &process.to_string()]).output();
}

/// Debian keeps them out of PATH, a folder for each version.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = versions.map(|entry| entry.unwrap().path().join("bin"));
    let path = std::env::var("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<_>>();
    debian.chain(on_path).filter(|folder| folder.join("initdb").exists()).max()
}

/// Whom root lends it to.
fn owner() -> Option<(u32, u32)> {
    let ask = |arguments: &[&str]| -> Option<u32> {
        let said = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8_lossy(&said.stdout).trim().parse().ok()
    };
    (ask(&["-u"]) == Some(0)).then(|| {
        let user = if ask(&["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
        (ask(&["-u", user]).unwrap(), ask(&["-g", user]).unwrap())
    })
}
