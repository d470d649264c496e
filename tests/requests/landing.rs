//! The landing: built into files that need no application, and the same pages shown by it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use axum::Router;
use tempfile::TempDir;
use tower_http::services::ServeDir;

use crate::support::{Finished, Html, Person, Setup, TestApp};

const APP: &str = "https://app.example.com";
const SUPPORT: &str = "https://t.me/example_support_bot";

/// A folder with what the program needs to build the landing, and a landing of its own.
fn home(folder: &Path) -> PathBuf {
    let (root, home) = (Path::new(env!("CARGO_MANIFEST_DIR")), folder.join("home"));
    fs::create_dir_all(home.join("assets/landing")).unwrap();
    fs::create_dir_all(home.join("assets/views")).unwrap();
    for link in ["config", "assets/static"] {
        std::os::unix::fs::symlink(root.join(link), home.join(link)).unwrap();
    }
    fs::copy(root.join("assets/views/components.html"), home.join("assets/views/components.html")).unwrap();
    for file in fs::read_dir(root.join("assets/landing")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), home.join("assets/landing").join(file.file_name())).unwrap();
    }
    home
}

async fn build(app: &TestApp, home: &Path, more: &[(&str, &str)]) -> PathBuf {
    let mut command = app.command();
    command.current_dir(home).env("APP_URL", APP).env("SUPPORT_BOT_URL", SUPPORT).envs(more.iter().copied());
    let built = Finished::of(command.args(["task", "landing_build", "out:landing/dist"])).await;
    assert_eq!(built.code, Some(0), "{}", built.said());
    home.join("landing/dist")
}

/// The pages that were built, by their address.
fn pages(dist: &Path) -> Vec<(String, Html)> {
    let mut pages = vec![("/".to_owned(), dist.join("index.html"))];
    for entry in fs::read_dir(dist).unwrap() {
        let path = entry.unwrap().path();
        if path.join("index.html").is_file() {
            let name = path.file_name().unwrap().to_str().unwrap();
            pages.push((format!("/{name}"), path.join("index.html")));
        }
    }
    pages.sort();
    pages.into_iter().map(|(address, file)| (address, Html(fs::read_to_string(file).unwrap()))).collect()
}

/// Files and nothing else, as Caddy or nginx serve them.
async fn serve(dist: &Path) -> (Person, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let files = Router::new().fallback_service(ServeDir::new(dist));
    (Person::new(&url), tokio::spawn(async move { axum::serve(listener, files).await.unwrap() }))
}

/// What holds for each page of the landing.
fn check(address: &str, page: &Html) {
    assert!(page.attributes("a", "href").contains(&format!("{APP}/register")), "{address} calls to create an account");
    assert!(page.texts("header a").contains(&"Create account".to_owned()), "{address}");
    assert!(page.attributes("footer a", "href").contains(&SUPPORT.to_owned()), "{address} leads to support");
    assert_eq!(page.attribute("html", "lang"), "en");
    for word in ["$", "€", "USD", "USDT", "per month"] {
        assert!(!page.text().contains(word), "{address} names a price: {word}");
    }
    let words = page.text().to_lowercase();
    let words: Vec<_> = words.split(|c: char| !c.is_alphanumeric()).collect();
    assert!(!words.windows(2).any(|two| two[0].parse::<u64>().is_ok() && two[1].starts_with("token")), "{address}");
    assert!(!page.0.contains(" style=") && !page.0.contains("<script>") && !page.0.contains("onclick"), "{address}");
    assert!(!page.0.contains("undefined") && !page.0.contains("{{"), "{address}");
}

/// F1, F2, F3: three pages that any web server shows while the application is stopped; every link and file of theirs is
/// there; each calls to create an account; five to ten clips in three categories or more, without prices.
#[tokio::test]
async fn the_landing_needs_no_application() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let folder = TempDir::new().unwrap();
    let dist = build(&app, &home(folder.path()), &[]).await;
    app.finish().await;

    let (visitor, server) = serve(&dist).await;
    let pages = pages(&dist);
    assert_eq!(pages.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(), ["/", "/privacy", "/terms"]);
    for (address, built) in &pages {
        check(address, built);
        let mut links = [("a", "href"), ("link", "href"), ("script", "src"), ("source", "src"), ("video", "poster")]
            .map(|(element, attribute)| built.attributes(element, attribute))
            .concat();
        links.extend(built.attributes("use", "href"));
        for link in links.iter().filter(|link| link.starts_with('/')) {
            let mut answer = visitor.get(link).await;
            if answer.status == 307 || answer.status == 301 {
                answer = visitor.get(&answer.location()).await;
            }
            assert_eq!(answer.status, 200, "{address} leads to {link}");
        }
        let strange: Vec<_> = links
            .iter()
            .filter(|link| !link.starts_with('/') && !link.starts_with('#') && !link.starts_with(APP))
            .collect();
        assert!(strange.iter().all(|link| **link == SUPPORT), "{address}: {strange:?}");
    }

    let first = &pages[0].1;
    let clips = first.attributes("video", "poster");
    assert!((5..=10).contains(&clips.len()), "{clips:?}");
    assert_eq!(first.attributes("video source", "src").len(), 2 * clips.len());
    let categories = first.attributes("[data-category]", "data-category");
    assert!(categories.len() >= 3, "{categories:?}");
    for category in &categories {
        assert!(first.has(&format!("[data-category='{category}'] video")));
    }
    assert!(!first.has("video[autoplay]"), "whoever wants no motion gets none");
    assert!(first.text().contains("tokens can be bought inside the app"));

    let weight: u64 = ["index.html", "static/app.css", "static/app.js", "static/icons.svg", "static/favicon.svg"]
        .map(|file| fs::metadata(dist.join(file)).unwrap().len())
        .iter()
        .sum();
    assert!(weight <= 150 * 1024, "{weight} bytes before pictures");
    server.abort();
}

/// F4: a page is added by adding one template; it looks and calls like the others, which do not change by a byte.
#[tokio::test]
async fn one_template_is_one_page() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let folder = TempDir::new().unwrap();
    let home = home(folder.path());
    let before = pages(&build(&app, &home, &[]).await);
    let template = "{% extends \"_layout.html\" %}{% block title %}About · {{ site.name }}{% endblock title %}\
                    {% block main %}<h1 class=\"text-3xl\">About us</h1>{% endblock main %}";
    fs::write(home.join("assets/landing/about.html"), template).unwrap();

    let after = pages(&build(&app, &home, &[]).await);

    let (address, about) = after.iter().find(|(address, _)| address == "/about").unwrap();
    check(address, about);
    assert_eq!(about.texts("h1"), ["About us"]);
    assert_eq!(about.texts("title"), ["About · nproxy"]);
    assert_eq!(after.len(), before.len() + 1);
    for (address, page) in &before {
        let now = &after.iter().find(|(at, _)| at == address).unwrap().1;
        assert_eq!(page.0, now.0, "{address} did not change");
    }
    app.finish().await;
}

/// F94: without `GTM_ID` nothing of Google stands on any page; with it the container is on the landing and in the
/// application, the rules of the page name exactly its hosts, and the data layer knows the person only when signed in.
#[tokio::test]
async fn a_tag_manager_only_where_it_is_named() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let folder = TempDir::new().unwrap();
    let home = home(folder.path());
    for (_, page) in pages(&build(&app, &home, &[]).await) {
        assert!(!page.0.contains("googletagmanager") && !page.has("[data-gtm]"), "{}", page.0);
    }
    for (address, page) in pages(&build(&app, &home, &[("GTM_ID", "GTM-AB12CD3")]).await) {
        let container = page.attribute("script[data-gtm]", "src");
        assert_eq!(container, "https://www.googletagmanager.com/gtm.js?id=GTM-AB12CD3", "{address}");
        assert!(!page.has("[data-user-id]") && !page.has("[data-email]"), "{address} knows nobody");
        let policy = page.attribute("meta[http-equiv]", "content");
        assert!(policy.contains("script-src 'self' https://www.googletagmanager.com;"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let mut wrong = app.command();
    let wrong = Finished::of(wrong.env("GTM_ID", "UA-1234-5").args(["task", "landing_build"])).await;
    assert_ne!(wrong.code, Some(0));
    assert!(wrong.said().contains("GTM_ID looks like GTM-AB12CD3"), "{}", wrong.said());
    app.finish().await;

    let app = TestApp::with(Setup { gtm_id: "GTM-AB12CD3", ..Setup::default() }).await;
    app.sql("UPDATE users SET email = 'a\"b&c@example.com' WHERE email = 'ada@example.com'").await;
    let visitor = app.visitor();
    for address in ["/", "/terms", "/login"] {
        let page = visitor.get(address).await;
        assert!(page.header("content-security-policy").contains("script-src 'self' https://www.googletagmanager.com;"));
        assert!(page.html().has("script[data-gtm]") && !page.html().has("[data-user-id]"), "{address}");
    }
    let ada = app.visitor();
    let form = [("email", "a\"b&c@example.com"), ("password", nproxy::models::users::seeds::PASSWORD)];
    assert_eq!(ada.post("/login", &form).await.status, 303);
    let studio = ada.get("/app").await;
    let user = app.text("SELECT email FROM users WHERE email LIKE 'a\"b%'").await;
    assert_eq!(studio.html().attribute("script[data-gtm]", "data-email"), user);
    assert!(studio.body.contains("data-email=\"a&quot;b&amp;c@example.com\""), "escaped");
    assert_eq!(studio.html().attribute("script[data-gtm]", "data-user-id").len(), 36);
    for secret in ["/password/reset?token=x", "/activation?token=x", "/pay/x", "/shared/x"] {
        assert!(!ada.get(secret).await.body.contains("googletagmanager.com/gtm.js"), "{secret} is told to nobody");
    }
    app.finish().await;
}

/// F1: where no address is named for the landing, the application shows it; otherwise it leads there.
#[tokio::test]
async fn the_application_shows_the_landing_or_leads_there() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let visitor = app.visitor();
    assert_eq!(visitor.get("/").await.html().attributes("video", "poster").len(), 9);
    assert_eq!(visitor.get("/terms").await.html().texts("h1"), ["Terms of service"]);
    assert_eq!(visitor.get("/index").await.status, 404);
    assert_eq!(visitor.get("/_layout").await.status, 404);
    assert_eq!(app.sign_in("ada").await.get("/").await.location(), "/app/conversations");
    app.finish().await;

    let app = TestApp::with(Setup { jobs: false, landing_url: "https://example.com", ..Setup::default() }).await;
    for (path, elsewhere) in [("/", "https://example.com/"), ("/terms", "https://example.com/terms")] {
        let answer = app.visitor().get(path).await;
        assert_eq!((answer.status, answer.header("location")), (303, elsewhere));
    }
    app.finish().await;
}
