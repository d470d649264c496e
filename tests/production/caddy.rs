//! F64: the root domain is static, `app.` is the studio. The genuine Caddy reads our file and is asked by name.

use std::{process::Stdio, time::Duration};

use reqwest::{Client, Response, redirect::Policy};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::fleet::Site;
use crate::support::free_port;
use crate::support::{Browser, Screen, Scripts, TestApp, eventually};

/// Browsers look for such a name nowhere but here.
const DOMAIN: &str = "nproxy.localhost";

struct Caddy {
    _child: Child,
    port: u16,
    landing: TempDir,
    client: Client,
}

fn caddy(arguments: &[&str]) -> Command {
    let mut command = Command::new("caddy");
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .args(["--config", "Caddyfile", "--adapter", "caddyfile"])
        .env("DOMAIN", DOMAIN)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn is_there() -> bool {
    let there = Command::new("caddy").arg("version").stdout(Stdio::null()).status().await.is_ok();
    if !there {
        assert!(std::env::var("REQUIRE_CADDY").is_err(), "caddy is missing: bin/setup --for test");
        println!("not run: caddy is missing");
    }
    there
}

impl Caddy {
    async fn start(webs: &[u16]) -> Self {
        let landing = TempDir::new().unwrap();
        let (port, admin) = (free_port(), free_port());
        let webs: Vec<String> = webs.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let child = caddy(&["run"])
            .env("SCHEME", "http")
            .env("HTTP_PORT", port.to_string())
            .env("ADMIN", format!("127.0.0.1:{admin}"))
            .env("WEB", format!("to {}", webs.join(" ")))
            .env("LANDING", landing.path())
            .env("HOME", landing.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client =
            Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        let caddy = Self { _child: child, port, landing, client };
        eventually("Caddy", || async { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok() }).await;
        caddy
    }

    async fn get(&self, host: &str, path: &str) -> Response {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        self.client.get(url).header("host", host).header("accept", "text/html").send().await.unwrap()
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// As it stands, with certificates and the names of the compose file.
#[tokio::test]
async fn f64_the_file_is_valid_as_it_is_deployed() {
    if !is_there().await {
        return;
    }
    let home = TempDir::new().unwrap();
    let output = caddy(&["validate"]).env("HOME", home.path()).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let adapted = caddy(&["adapt"]).env("HOME", home.path()).stdout(Stdio::piped()).output().await.unwrap();
    let config: serde_json::Value = serde_json::from_slice(&adapted.stdout).unwrap();
    let servers = config["apps"]["http"]["servers"].as_object().unwrap();
    let hosts: Vec<&str> = servers
        .values()
        .flat_map(|server| server["routes"].as_array().unwrap())
        .map(|route| route["match"][0]["host"][0].as_str().unwrap())
        .collect();
    for host in ["nproxy.localhost", "www.nproxy.localhost", "app.nproxy.localhost"] {
        assert!(hosts.contains(&host), "{hosts:?}");
    }
    // All of it behind TLS.
    assert_eq!(servers.len(), 1);
    assert_eq!(servers.values().next().unwrap()["listen"], serde_json::json!([":443"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn f64_the_root_is_static_and_app_is_the_studio() {
    if !is_there().await {
        return;
    }
    let site = Site::prepare(&format!("http://app.{DOMAIN}")).await;
    let first = site.start(&["start", "--server"]).await;
    let second = site.start(&["start", "--server"]).await;
    let caddy = Caddy::start(&[first.port, second.port]).await;
    let app = format!("app.{DOMAIN}");

    // Without a landing the studio introduces itself.
    let nothing = caddy.get(DOMAIN, "/").await;
    assert_eq!((nothing.status().as_u16(), header(&nothing, "location")), (302, format!("http://{app}/").as_str()));
    let introduced = caddy.get(&app, "/").await;
    assert_eq!(introduced.status(), 200);
    assert!(introduced.text().await.unwrap().contains("Create account"));
    // As the service of that name in docker-compose.yml does.
    let built = site.task(&["landing_build", &format!("out:{}", caddy.landing.path().display())]).await;
    assert_eq!(built.code, Some(0), "{}", built.said());
    let missing = caddy.get(DOMAIN, "/nowhere").await;
    assert_eq!(missing.status(), 404);
    assert!(missing.text().await.unwrap().contains("There is nothing here"));
    std::fs::write(caddy.landing.path().join("index.html"), "<h1>landing</h1>").unwrap();
    let landing = caddy.get(DOMAIN, "/").await;
    assert_eq!(landing.status(), 200);
    assert_eq!(header(&landing, "server"), "");
    assert!(header(&landing, "content-security-policy").starts_with("frame-ancestors 'none'"));
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("strict-transport-security", "max-age=31536000; includeSubDomains")]
    {
        assert_eq!(header(&landing, name), value);
    }
    assert_eq!(landing.text().await.unwrap(), "<h1>landing</h1>");
    // The studio is not at the root, nor the landing at the studio.
    assert_eq!(caddy.get(DOMAIN, "/login").await.status(), 404);
    let login = caddy.get(&app, "/login").await;
    assert_eq!(login.status(), 200);
    assert_eq!(header(&login, "referrer-policy"), "same-origin", "what the studio says stands");
    assert!(!header(&login, "x-request-id").is_empty());
    assert!(login.text().await.unwrap().contains("<form"));
    let www = caddy.get(&format!("www.{DOMAIN}"), "/a?b=c").await;
    assert_eq!((www.status().as_u16(), header(&www, "location")), (301, format!("http://{DOMAIN}/a?b=c").as_str()));

    // One web process goes: nobody notices.
    first.kill().await;
    for _ in 0..20 {
        assert_eq!(caddy.get(&app, "/login").await.status(), 200);
    }
    assert_eq!(second.stop().await, Some(0));
    assert_eq!(caddy.get(&app, "/login").await.status(), 502);
    site.close().await;
}

/// F111, F112: what the task builds is whole behind Caddy: its clips play, nothing that a page asks for is missing or refused,
/// and with a container's name its host may be asked.
#[tokio::test(flavor = "multi_thread")]
async fn f111_the_landing_is_whole_behind_caddy() {
    if !is_there().await {
        return;
    }
    let app = TestApp::start().await;
    let caddy = Caddy::start(&[free_port()]).await;
    let out = format!("out:{}", caddy.landing.path().display());
    assert_eq!(app.nproxy(&["task", "landing_build", &out]).await.code, Some(0));
    let versioned = caddy.get(DOMAIN, "/static/app.css?v=1").await;
    assert_eq!(header(&versioned, "cache-control"), "public, max-age=31536000, immutable");

    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.open(&format!("http://{DOMAIN}:{}/", caddy.port)).await;
    window.until("a clip", "[...document.querySelectorAll('video')].some((it) => it.currentTime > 0)").await;
    window.assert_quiet();

    // A page names the hosts that it may ask, and the header forbids none of them.
    let built =
        app.command().args(["task", "landing_build", &out]).env("GTM_ID", "GTM-AB12CD3").output().await.unwrap();
    assert!(built.status.success());
    let landing = caddy.get(DOMAIN, "/").await;
    let policy = header(&landing, "content-security-policy").to_owned();
    assert!(!policy.contains("default-src") && !policy.contains("script-src"), "{policy}");
    let page = landing.text().await.unwrap().replace("&#39;", "'");
    assert!(page.contains("script-src 'self' https://www.googletagmanager.com;"), "{page}");
    browser.close().await;
    app.finish().await;
}
