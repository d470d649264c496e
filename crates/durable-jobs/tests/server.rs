//! A `PostgreSQL` of our own, to be crashed and stopped.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Stopped, and its data removed, when dropped.
pub struct Server {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { programs: programs(), folder, port };
        if let Some(user) = lent_to() {
            run(Command::new("chown").arg(user).arg(server.folder.path()));
        }
        server.run("initdb", &["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        server.go();
        server
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Crashes it as a power cut would crash the process, and starts it again.
    pub fn crash_and_start(&self) {
        self.run("pg_ctl", &["stop", "-s", "-w", "-m", "immediate"]);
        self.go();
    }

    /// SIGSTOP for every process of it: connections stay open and nobody answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn go(&self) {
        let options =
            format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off", self.port);
        let log = self.folder.path().join("server.log");
        self.run("pg_ctl", &["start", "-s", "-w", "-l", log.to_str().unwrap(), "-o", &options]);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let (program, data) = (self.programs.join(program), self.folder.path().join("data"));
        let mut command = match lent_to() {
            Some(user) => {
                let mut lent = Command::new("runuser");
                lent.args(["-u", user, "--"]).arg(program);
                lent
            }
            None => Command::new(program),
        };
        run(command.arg("-D").arg(data).args(arguments).current_dir(self.folder.path()));
    }

    fn signal(&self, signal: &str) {
        let main = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        let main = main.lines().next().unwrap().to_owned();
        let children = Command::new("pgrep").args(["-P", &main]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        // A child may be over before its turn comes.
        let _ = Command::new("kill").arg(signal).arg(&main).args(children.lines()).stderr(Stdio::null()).status();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.thaw();
        self.run("pg_ctl", &["stop", "-s", "-w", "-m", "immediate"]);
    }
}

/// Debian keeps the server's programs out of PATH, a folder for each version.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    found.sort();
    let path = std::env::var("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    found.into_iter().find(|folder| folder.join("initdb").is_file()).expect("PostgreSQL's own programs: initdb, pg_ctl")
}

/// `PostgreSQL` refuses to run as root, so root lends its server to another user.
fn lent_to() -> Option<&'static str> {
    let id = |arguments: &[&str]| Command::new("id").args(arguments).stderr(Stdio::null()).output().unwrap();
    if id(&["-u"]).stdout != b"0\n" {
        return None;
    }
    Some(if id(&["postgres"]).status.success() { "postgres" } else { "nobody" })
}

fn run(command: &mut Command) {
    // The server keeps what it inherits, so it gets nothing of ours.
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(done.success(), "{command:?}");
}
