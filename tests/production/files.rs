//! F63: what an operator starts it with, judged by the tools that will read it.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A clone of what deployment needs.
fn clone() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("bin")).unwrap();
    for file in ["bin/lib", "bin/setup-production", "docker-compose.yml", "Dockerfile", "Caddyfile"] {
        fs::copy(root().join(file), folder.path().join(file)).unwrap();
    }
    folder
}

fn set_up(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(folder.join("bin/setup-production")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

const GOOD: [&str; 4] = ["--domain", "Example.com", "--smtp-host", "mail.example.com"];

#[test]
fn f63_setup_makes_secrets_once_for_one_reader_and_touches_nothing() {
    let (one, other) = (clone(), clone());
    let mut secrets = BTreeSet::new();
    for folder in [&one, &other] {
        let done = set_up(folder.path(), &GOOD);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let env = fs::read_to_string(folder.path().join(".env")).unwrap();
        assert!(env.contains("\nDOMAIN=example.com\n"), "{env}");
        let mode = fs::metadata(folder.path().join(".env")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for name in ["NPROXY_SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "# S3_SECRET_ACCESS_KEY"] {
            let line = env.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
            assert!(line.len() >= 40 && line.bytes().all(|it| it.is_ascii_alphanumeric()), "{name}: {line}");
            assert!(secrets.insert(line.to_owned()), "twice: {line}");
            assert!(!String::from_utf8_lossy(&done.stdout).contains(line), "a secret on the screen");
        }
    }
    // The second time nothing happens, whatever is asked.
    let before = fs::read(one.path().join(".env")).unwrap();
    let again = set_up(one.path(), &["--domain", "other.example", "--smtp-host", "x"]);
    assert!(again.status.success());
    assert!(String::from_utf8_lossy(&again.stdout).contains("stays as it is"));
    assert_eq!(fs::read(one.path().join(".env")).unwrap(), before);
    assert_eq!(fs::read_dir(one.path()).unwrap().count(), 5, "no draft is left");
}

#[test]
fn f63_setup_refuses_what_is_no_domain() {
    let folder = clone();
    for bad in [
        "",
        "localhost",
        "https://example.com",
        "app.example.com",
        "exa mple.com",
        "1.2.3.4",
        "-a.com",
        "a;b.com",
        "a.com\nB=c",
    ] {
        let refused = set_up(folder.path(), &["--domain", bad, "--smtp-host", "mail.example.com"]);
        assert!(!refused.status.success(), "{bad:?}");
        assert!(!refused.stderr.is_empty());
        assert!(!folder.path().join(".env").exists(), "{bad:?}");
    }
    for (flag, bad) in [("--smtp-host", "mail server"), ("--from", "it's $HOME"), ("--smtp-user", "a\nB=c")] {
        let arguments: Vec<&str> = if flag == "--smtp-host" { GOOD[..2].to_vec() } else { GOOD.to_vec() };
        let refused = set_up(folder.path(), &[arguments, vec![flag, bad]].concat());
        assert!(!refused.status.success() && !folder.path().join(".env").exists(), "{flag} {bad}");
    }
}

/// Docker Compose itself reads the file. It needs no engine for that.
#[test]
fn f63_docker_compose_reads_the_file() {
    let Ok(compose) = std::env::var("COMPOSE") else {
        println!("not run: Docker Compose is missing; bin/test installs it");
        return;
    };
    let folder = clone();
    let config = |profile: &[&str]| {
        let mut command = Command::new(&compose);
        command.env_clear().env("PATH", std::env::var("PATH").unwrap()).current_dir(folder.path());
        command.args(profile).args(["config", "--format", "json"]).output().unwrap()
    };
    // Without .env it says what to do.
    let bare = config(&[]);
    assert!(!bare.status.success());
    assert!(String::from_utf8_lossy(&bare.stderr).contains("run bin/setup-production"));

    assert!(set_up(folder.path(), &GOOD).status.success());
    let read = config(&["--profile", "minio"]);
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let config: Value = serde_json::from_slice(&read.stdout).unwrap();
    let services = config["services"].as_object().unwrap();
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(names, ["bot", "caddy", "landing", "minio", "minio-bucket", "postgres", "redis", "web", "worker"]);
    for (name, service) in services {
        assert_eq!(service["logging"]["options"]["max-file"], "5", "{name}: logs that grow for ever");
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        assert!(tag == "local" || tag.matches(['.', '-']).count() >= 2, "{name}: {image} is not pinned");
        // Only Caddy is reached from outside, and only it stands before web.
        assert_eq!(service.get("ports").is_some(), name == "caddy", "{name}");
        if name != "minio-bucket" {
            assert!(service["stop_grace_period"].is_string(), "{name} has no time to end");
            assert!(service["restart"].is_string(), "{name} stays down");
            assert!(service.get("healthcheck").is_some() || ["web", "worker"].contains(&name.as_str()), "{name}");
        }
    }
    for (who, whom) in [("web", "postgres"), ("web", "redis"), ("worker", "web"), ("bot", "web"), ("caddy", "web")] {
        assert_eq!(services[who]["depends_on"][whom]["condition"], "service_healthy", "{who} before {whom}");
    }
    // What one writes the other shows.
    let writes = services["landing"]["command"][2].as_str().unwrap().strip_prefix("out:/landing/").unwrap();
    assert_eq!(services["caddy"]["environment"]["LANDING"], format!("/srv/landing/{writes}"));
    for (name, at) in [("landing", "/landing"), ("caddy", "/srv/landing")] {
        let mounts = services[name]["volumes"].as_array().unwrap();
        assert!(mounts.iter().any(|it| it["source"] == "landing" && it["target"] == at), "{name}: {mounts:?}");
    }
    for name in ["web", "worker", "bot", "landing"] {
        let service = &services[name];
        assert_eq!(service["environment"]["APP_URL"], "https://app.example.com");
        assert!(service["environment"]["DATABASE_URL"].as_str().unwrap().starts_with("postgres://nproxy:"));
        assert!(service["environment"]["REDIS_URL"].as_str().unwrap().starts_with("redis://:"));
        assert_eq!(service["read_only"], true);
        assert_eq!(service["cap_drop"][0], "ALL");
        assert!(service.get("container_name").is_none(), "{name} could not be scaled");
        assert_eq!(service["environment"]["MALLOC_ARENA_MAX"], "2");
    }

    // Whatever production reads can be set in .env.
    let read = fs::read_to_string(root().join("config/production.yaml")).unwrap();
    let read: BTreeSet<&str> =
        read.split("get_env(name=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    // Of the container's inside; stand-ins have no place on a server.
    let inner = ["PORT", "BINDING", "SANDBOX", "ALLOW_SANDBOX", "SANDBOX_PORT", "SANDBOX_SMTP_PORT"];
    let set = services["web"]["environment"].as_object().unwrap();
    let missing: Vec<_> = read.iter().filter(|name| !set.contains_key(**name) && !inner.contains(name)).collect();
    assert!(missing.is_empty(), "docker-compose.yml does not pass on {missing:?}");
}

#[test]
fn f63_the_image_is_built_as_it_should_be() {
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
    for line in ["USER 10001:10001", "CMD [\"nproxy\", \"health\"]", "--locked", "org.opencontainers.image.version"] {
        assert!(text.contains(line), "{line}");
    }
    let wanted = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, rest) = wanted.split_once("rust-version = \"").unwrap();
    let wanted = rest.split('"').next().unwrap();
    assert!(text.contains(&format!("FROM rust:{wanted}-")), "another Rust than {wanted}");
    assert!(text.contains(&format!("ARG VERSION={}\n", env!("CARGO_PKG_VERSION"))));

    let Ok(hadolint) = std::env::var("HADOLINT") else {
        println!("not run: hadolint is missing; bin/test installs it");
        return;
    };
    let judged = Command::new(hadolint).arg(root().join("Dockerfile")).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

/// F66: each push to main and each pull request goes through `bin/ci`, which is format, lints and all tests; no action of
/// somebody else can change under it.
#[test]
fn f66_the_workflow_runs_what_a_change_has_to_pass() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let workflow: Value = serde_norway::from_str(&read(".github/workflows/ci.yml")).unwrap();
    assert_eq!(workflow["on"]["push"]["branches"], serde_json::json!(["main"]));
    assert!(workflow["on"].as_object().unwrap().contains_key("pull_request"));
    assert_eq!(workflow["permissions"], serde_json::json!({ "contents": "read" }));
    let steps = workflow["jobs"]["ci"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["run"] == ".ci/run"), "{steps:?}");
    for action in steps.iter().filter_map(|step| step["uses"].as_str()) {
        let commit = action.rsplit('@').next().unwrap();
        assert!(commit.len() == 40 && commit.bytes().all(|it| it.is_ascii_hexdigit()), "{action}");
    }
    assert!(read(".ci/run").lines().any(|line| line == "bin/ci"));
    let check = read("bin/ci");
    for step in
        ["cargo fmt --all --check", "cargo clippy --workspace --all-targets --locked -- -D warnings", "bin/test"]
    {
        assert!(check.lines().any(|line| line.starts_with("step ") && line.ends_with(step)), "{step}");
    }
}
