//! What holds for every address: who may open it, where a form may come from, what a browser is told about it. The
//! addresses come from the router, so that a new one is looked at too.

use loco_rs::app::Hooks;
use nproxy::app::App;
use reqwest::Method;

use crate::support::{Answer, Person, TestApp, eventually};

/// Every address of the application that takes this method.
fn addresses(app: &TestApp, method: &Method) -> Vec<String> {
    let routes = App::routes(&app.ctx).collect();
    let mut all: Vec<_> = routes.into_iter().filter(|r| r.actions.contains(method)).map(|r| r.uri).collect();
    all.sort();
    all.dedup();
    assert!(all.len() > 5, "{all:?}");
    all
}

/// Ada with one finished picture, and the ids of everything that she has.
async fn with_a_picture() -> (TestApp, Person, Vec<String>) {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a boat", &[]).await;
    ada.settled(&conversation).await;
    let pids = pids(&app, &ada, &conversation).await;
    (app, ada, pids)
}

/// The ids of everything that a person has, as the pages carry them.
async fn pids(app: &TestApp, ada: &Person, conversation: &str) -> Vec<String> {
    let page = ada.get(conversation).await;
    let mut pids: Vec<String> = page
        .body
        .split(|c: char| !(c.is_ascii_hexdigit() || c == '-'))
        .map(|word| word.trim_matches('-'))
        .filter(|word| word.parse::<uuid::Uuid>().is_ok() && word.len() == 36)
        .map(str::to_owned)
        .collect();
    ada.post("/app/exports", &[("everything", "1")]).await;
    let export = ada.get("/app/exports").await.html().attribute("li[id^=export-]", "id");
    pids.push(export.trim_start_matches("export-").to_owned());
    pids.push(app.user("ada").await.pid.to_string());
    pids.push(app.bill(ada, "btcpay").await.rsplit('/').next().unwrap().to_owned());
    // The processor's word about the new invoice is on its way by itself.
    let events = "SELECT COUNT(*) FROM payment_events";
    eventually("the webhook", || async { (app.count(events).await > 0).then_some(()) }).await;
    app.idle().await;
    pids.sort();
    pids.dedup();
    assert!(pids.len() >= 6, "conversation, turn, run, picture, person, invoice: {pids:?}");
    pids
}

fn with_id(address: &str, id: &str) -> String {
    let (before, after) = (address.find('{').unwrap(), address.find('}').unwrap());
    format!("{}{id}{}", &address[..before], &address[after + 1..])
}

/// An address with every id in turn, or as it is.
fn with_ids(address: &str, ids: &[String]) -> Vec<String> {
    if address.contains('{') { ids.iter().map(|id| with_id(address, id)).collect() } else { vec![address.to_owned()] }
}

/// Everything that a request could have changed.
async fn everything(app: &TestApp) -> Vec<i64> {
    let mut counts = Vec::new();
    for rows in [
        "users",
        "links",
        "sessions",
        "sessions WHERE revoked_at IS NULL",
        "conversations",
        "generations",
        "runs",
        "holds",
        "assets",
        "jobs WHERE class <> 'RunTask'",
        "activities",
        "auth_events",
        "throttles",
        "provider_keys",
        "invoices",
        "payment_events",
        "shares",
        "exports",
        "assets WHERE favorite",
    ] {
        counts.push(app.count(&format!("SELECT COUNT(*) FROM {rows}")).await);
    }
    counts
}

/// What any of the forms could want.
fn any_form() -> Vec<(&'static str, &'static str)> {
    vec![
        ("email", "ada@example.com"),
        ("password", "studio in a box"),
        ("token", "x"),
        ("prompt", "a boat"),
        ("client_token", "a press from elsewhere"),
    ]
}

const SECRET_PROMPT: &str = "my secret garden wedding";

/// F11: without a session every page of the studio leads to the login page and shows nothing of anybody.
#[tokio::test]
async fn every_page_of_the_studio_is_closed() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask(SECRET_PROMPT, &[]).await;
    ada.settled(&conversation).await;
    let pids = pids(&app, &ada, &conversation).await;
    let closed: Vec<_> = addresses(&app, &Method::GET).into_iter().filter(|uri| uri.starts_with("/app")).collect();
    assert!(closed.iter().any(|uri| uri.contains('{')));

    for address in &closed {
        let mut opened = 0;
        for path in with_ids(address, &pids) {
            let answer = app.visitor().get(&path).await;
            assert_eq!(answer.status, 303, "{path}");
            assert!(answer.location() == "/login" || answer.location().starts_with("/login?next="), "{path}");
            assert!(!answer.body.contains("ada@") && !answer.body.contains("secret garden"), "{path}");
            opened += usize::from([200, 303].contains(&ada.get(&path).await.status));
        }
        assert!(opened > 0, "{address} opens for its owner, with one of the ids");
    }
    app.finish().await;
}

/// F11, F42: what is somebody else's looks exactly like what never was, on every address that carries an id, and a form
/// sent there changes nothing.
#[tokio::test]
async fn what_is_a_strangers_is_not_there() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    let conversation = ada.ask(SECRET_PROMPT, &[]).await;
    ada.settled(&conversation).await;
    let pids = pids(&app, &ada, &conversation).await;
    let never_was = uuid::Uuid::now_v7().to_string();
    let before = everything(&app).await;

    for method in [Method::GET, Method::POST] {
        let with_id_inside: Vec<_> = addresses(&app, &method).into_iter().filter(|uri| uri.contains('{')).collect();
        assert!(!with_id_inside.is_empty());
        for address in with_id_inside {
            let ask = async |path: String| -> Answer {
                let request = eve.request(method.clone(), &path).header("sec-fetch-site", "same-origin");
                let request = if method == Method::POST { request.form(&any_form()) } else { request };
                eve.send(request).await
            };
            let absent = ask(with_id(&address, &never_was)).await;
            assert_eq!(absent.status, 404, "{method} {address}");
            for pid in &pids {
                let hers = ask(with_id(&address, pid)).await;
                assert_eq!(hers.status, 404, "{method} {address} {pid}");
                assert_eq!(
                    hers.without_reference().replace(pid, "ID"),
                    absent.without_reference().replace(&never_was, "ID"),
                    "{method} {address}"
                );
            }
        }
    }
    assert_eq!(everything(&app).await, before);
    let own = eve.get(&format!("/app/conversations?from={}&input={}", pids[0], pids[1])).await;
    assert!(!own.body.contains("secret garden"), "nor does the composer take it over");
    app.finish().await;
}

/// F13: a form that another site sends is refused at every address and changes nothing; the same form from our own page
/// is not refused for that.
#[tokio::test]
async fn forms_from_other_sites_are_refused() {
    let (app, ada, pids) = with_a_picture().await;
    app.idle().await;
    let before = everything(&app).await;
    let own_site = app.url.clone();
    let targets = addresses(&app, &Method::POST);
    assert!(targets.contains(&"/logout".into()) && targets.contains(&"/app/conversations".into()));

    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost.evil.example"),
    ] {
        for address in &targets {
            for path in with_ids(address, &pids) {
                let request = ada.request(Method::POST, &path).header(name, value).form(&any_form());
                let answer = ada.send(request).await;
                assert_eq!(answer.status, 403, "{path} {name}: {value}");
                assert!(answer.html().text().contains("This came from another site"), "{path}");
            }
        }
    }
    assert_eq!(everything(&app).await, before);
    assert_eq!(ada.get("/app").await.status, 200, "still logged in");

    for (name, value) in [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none"), ("origin", own_site.as_str())]
    {
        for address in &targets {
            let path = with_ids(address, &pids).remove(0);
            let person = app.visitor();
            let answer = person.send(person.request(Method::POST, &path).header(name, value).form(&any_form())).await;
            assert_ne!(answer.status, 403, "{path} {name}: {value}");
        }
    }
    app.idle().await;
    app.finish().await;
}

/// F13: every answer tells the browser to trust nothing but this site; pages are kept nowhere, pictures only by their
/// owner's browser, static files by everybody.
#[tokio::test]
async fn every_answer_has_strict_headers() {
    const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                       media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                       frame-ancestors 'none'; object-src 'none'; manifest-src 'self'";
    let (app, ada, pids) = with_a_picture().await;
    let check = |answer: &Answer, csp: &str, cache: &str, path: &str| {
        assert_eq!(answer.header("content-security-policy"), csp, "{path}");
        assert_eq!(answer.header("cache-control"), cache, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert!(answer.header("strict-transport-security").starts_with("max-age=31536000"), "{path}");
        assert!(answer.header("permissions-policy").contains("camera=()"), "{path}");
        assert_eq!(answer.header("x-request-id").len(), 12, "{path}");
        for chatty in ["server", "x-powered-by"] {
            assert_eq!(answer.header(chatty), "", "{path}");
        }
        for part in ["<script>", " onclick=", " onload=", " style=", "javascript:"] {
            assert!(!answer.body.contains(part), "{path} needs no {part}");
        }
    };
    let mut seen = 0;
    for address in addresses(&app, &Method::GET).into_iter().chain(["/nothing/here".into()]) {
        for path in with_ids(&address, &pids) {
            for person in [&ada, &app.visitor()] {
                let answer = person.get(&path).await;
                if path.starts_with("/app/files/") && answer.status == 200 {
                    let alone = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
                    check(&answer, alone, "private, max-age=31536000, immutable", &path);
                    seen += 1;
                } else {
                    check(&answer, CSP, "no-store", &path);
                }
            }
        }
    }
    assert_eq!(seen, 2, "the picture and its thumbnail");

    let visitor = app.visitor();
    let style = visitor.get("/static/app.css").await;
    check(&style, CSP, "public, max-age=31536000, immutable", "/static/app.css");
    let known =
        visitor.request(Method::GET, "/static/app.css").header("if-modified-since", style.header("last-modified"));
    let known = visitor.send(known).await;
    assert_eq!(known.status, 304);
    check(&known, CSP, "public, max-age=31536000, immutable", "/static/app.css");
    check(&visitor.get("/static/none.css").await, CSP, "no-store", "/static/none.css");
    app.finish().await;
}

/// The page of components is for whoever works on them: production has no such address.
#[tokio::test]
async fn production_shows_no_components() {
    let app = TestApp::start().await;
    let mut ctx = app.ctx.clone();
    let knows =
        |ctx: &loco_rs::app::AppContext| App::routes(ctx).collect().iter().any(|route| route.uri.starts_with("/dev"));
    assert!(knows(&ctx));
    ctx.environment = loco_rs::environment::Environment::Production;
    assert!(!knows(&ctx));
    app.finish().await;
}
