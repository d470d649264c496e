//! Proxies as Debian ships them, each with a folder and a port of its own, for as long as a test lasts.

use std::{
    env, fs,
    net::{SocketAddr, TcpStream},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::support::{PATIENCE, free_port};

/// What the proxies that ask for a name and a password accept.
pub const LOGIN: &str = "ada:secret";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Tinyproxy,
    Squid,
    Microsocks,
    Dante,
}

/// Whom a proxy lets through, and where to.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    Everybody,
    WhoKnowsTheLogin,
    /// Everybody, but not to this computer.
    Elsewhere,
}

pub struct Daemon {
    program: Program,
    child: Child,
    addr: SocketAddr,
    _folder: TempDir,
}

impl Program {
    const ALL: [Self; 4] = [Self::Tinyproxy, Self::Squid, Self::Microsocks, Self::Dante];

    pub fn is_socks(self) -> bool {
        matches!(self, Self::Microsocks | Self::Dante)
    }

    /// Where it is installed; says so if it is nowhere, which is a failure where it must be.
    pub fn find(self) -> Option<PathBuf> {
        let name = match self {
            Self::Tinyproxy => "tinyproxy",
            Self::Squid => "squid",
            Self::Microsocks => "microsocks",
            Self::Dante => "danted",
        };
        let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
        let found = path.split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.is_file());
        if found.is_none() {
            assert_ne!(env::var("REQUIRE_PROXIES").as_deref(), Ok("1"), "{name} is missing, one of {:?}", Self::ALL);
            eprintln!("not run: {name} is missing (bin/setup --for test installs it)");
        }
        found
    }

    fn command(self, file: &Path, folder: &Path, port: u16, rule: Rule) -> Command {
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let mut command = Command::new(file);
        match self {
            Self::Tinyproxy => {
                let filter = write("filter", "^127\\.0\\.0\\.1$\n".to_owned());
                let rules = match rule {
                    Rule::Everybody => String::new(),
                    Rule::WhoKnowsTheLogin => "BasicAuth ada secret\n".to_owned(),
                    Rule::Elsewhere => format!("Filter \"{}\"\nFilterExtended On\n", filter.display()),
                };
                let log = folder.join("log");
                let text = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile \"{}\"\n{rules}", log.display());
                command.arg("-d").arg("-c").arg(write("conf", text));
            }
            Self::Squid => {
                let script =
                    "while read -r name word; do [ \"$name:$word\" = ada:secret ] && echo OK || echo ERR; done\n";
                let login = write("login", script.to_owned());
                let rules = match rule {
                    Rule::Everybody => "http_access allow all".to_owned(),
                    Rule::WhoKnowsTheLogin => format!(
                        "auth_param basic program /bin/sh {}\nauth_param basic children 1 startup=1 idle=1\n\
                         acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all",
                        login.display()
                    ),
                    Rule::Elsewhere => {
                        "acl here dst 127.0.0.1\nhttp_access deny here\nhttp_access allow all".to_owned()
                    }
                };
                let at = folder.display();
                let text = format!(
                    "http_port 127.0.0.1:{port}\nvisible_hostname squid.test\ncache deny all\ncache_mem 8 MB\n\
                     memory_cache_shared off\npinger_enable off\nshutdown_lifetime 0 seconds\naccess_log none\n\
                     cache_log {at}/cache.log\npid_filename {at}/squid.pid\ncoredump_dir {at}\n{rules}\n"
                );
                command.arg("-N").arg("-f").arg(write("conf", text));
            }
            Self::Microsocks => {
                command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
                match rule {
                    Rule::Everybody => {}
                    Rule::WhoKnowsTheLogin => drop(command.args(["-u", "ada", "-P", "secret"])),
                    Rule::Elsewhere => panic!("microsocks goes everywhere"),
                }
            }
            Self::Dante => {
                // Names and passwords are those of the system: here nobody has one.
                let method = if matches!(rule, Rule::WhoKnowsTheLogin) { "username" } else { "none" };
                let verdict = if matches!(rule, Rule::Elsewhere) { "block" } else { "pass" };
                let users = if is_root() { "user.privileged: root\nuser.unprivileged: nobody\n" } else { "" };
                let text = format!(
                    "logoutput: {}\ninternal: 127.0.0.1 port = {port}\nexternal: lo\nclientmethod: none\n\
                     socksmethod: {method}\n{users}client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n\
                     socks {verdict} {{ from: 0.0.0.0/0 to: 127.0.0.0/8 }}\n",
                    folder.join("log").display()
                );
                command.arg("-f").arg(write("conf", text)).arg("-p").arg(folder.join("pid"));
            }
        }
        command
    }
}

impl Daemon {
    /// Starts and waits until it listens; `None` if the program is not installed.
    pub async fn start(program: Program, rule: Rule) -> Option<Self> {
        let file = program.find()?;
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            // Squid gives up being root.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
            let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
            let mut command = program.command(&file, folder.path(), addr.port(), rule);
            let child = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut daemon = Self { program, child: child.spawn().unwrap(), addr, _folder: folder };
            if daemon.listens().await {
                return Some(daemon);
            }
        }
        panic!("{program:?} does not start with {rule:?}")
    }

    /// False if it ended instead: somebody else took the port.
    async fn listens(&mut self) -> bool {
        let end = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < end {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(self.addr).is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        false
    }

    /// `login` is `name:password`, or empty.
    pub fn url(&self, login: &str) -> String {
        let scheme = if self.program.is_socks() { "socks5h" } else { "http" };
        let login = if login.is_empty() { String::new() } else { format!("{login}@") };
        format!("{scheme}://{login}{}", self.addr)
    }

    /// Ends it and all its helpers at once, as a crash would.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.child.wait().unwrap();
    }

    /// It accepts what the system accepts for it, and does nothing any more.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", name, "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}
