//! What holds for every address: who may open it, where a form may come from, how often, what a browser is told about it,
//! and that nothing else comes in by it. The cases come from `controllers/policy.rs`, and that from nothing less than the
//! whole router: a route without a row fails the first test.

use loco_rs::app::Hooks;
use nproxy::{
    app::App,
    controllers::policy::{self, Cache, Forgery, Policy, Rate, Who},
};
use reqwest::Method;

use crate::support::{Answer, Person, Setup, TestApp, eventually};

/// The routes whose policy says so.
fn routes(which: impl Fn(&Policy) -> bool) -> Vec<&'static Policy> {
    policy::all().iter().filter(|policy| which(policy)).collect()
}

fn addresses(method: &Method) -> Vec<&'static str> {
    let all: Vec<_> = routes(|policy| policy.method == method.as_str()).iter().map(|policy| policy.path).collect();
    assert!(all.len() > 5, "{all:?}");
    all
}

/// T17: each route of the router has its row, and each row its route.
#[tokio::test]
async fn every_route_has_its_policy() {
    let app = TestApp::with(Setup { jobs: false, people: false, keys: vec![], ..Setup::default() }).await;
    let mut routed: Vec<(String, String)> = App::routes(&app.ctx)
        .collect()
        .into_iter()
        .flat_map(|route| {
            route.actions.iter().map(|action| (action.to_string(), route.uri.clone())).collect::<Vec<_>>()
        })
        .filter(|(method, _)| method != "HEAD")
        .collect();
    routed.sort();
    routed.dedup();
    let is_known = |method: &str, path: &str| policy::of(&method.parse().unwrap(), path).is_some();
    let missing: Vec<_> = routed.iter().filter(|(method, path)| !is_known(method, path)).collect();
    let rows: Vec<_> =
        missing.iter().map(|(method, path)| policy::suggestion(&method.parse().unwrap(), path)).collect();
    assert!(
        rows.is_empty(),
        "\n\nThese routes have no policy. Give each its row in src/controllers/policy.rs, and think it over: who may \
         call it, what a form may bring, what it costs, whose ids are in it.\n\n{}\n",
        rows.join("\n")
    );
    let stale: Vec<_> = policy::all()
        .iter()
        .map(|policy| (policy.method.to_owned(), policy.path.to_owned()))
        .filter(|row| !routed.contains(row))
        .collect();
    assert!(stale.is_empty(), "src/controllers/policy.rs has rows without a route: {stale:?}");
    let mut rows: Vec<_> = policy::all().iter().map(|policy| (policy.method, policy.path)).collect();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), policy::all().len(), "a route has one row");
    for policy in policy::all() {
        let at = format!("{} {}", policy.method, policy.path);
        assert_eq!(policy.path.contains('{'), !policy.objects.is_empty(), "{at}: whose ids are in the address?");
        assert_eq!(policy.method == "GET", policy.forgery == Forgery::Harmless, "{at}: a GET changes nothing");
        assert_eq!(policy.who == Who::Program, policy.forgery == Forgery::Signed, "{at}");
        // The code beside the password changes nothing that anybody else could see.
        let changes = policy.method != "GET" && policy.path != "/admin/second-factor";
        assert!(policy.who != Who::Staff || !changes || policy.is_audited, "{at}: what staff change is told");
    }
    app.finish().await;
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
        "throttles WHERE key NOT LIKE 'costly-%'",
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

/// What the form behind an address wants.
fn form_of(address: &str) -> Vec<(&'static str, &'static str)> {
    const EMAIL: (&str, &str) = ("email", "ada@example.com");
    const PASSWORD: (&str, &str) = ("password", "studio in a box");
    const TOKEN: (&str, &str) = ("token", "x");
    const PRESS: (&str, &str) = ("client_token", "a press from elsewhere");
    match address.rsplit('/').next().unwrap_or_default() {
        "register" | "login" | "forgot" | "email" => vec![EMAIL, PASSWORD],
        "reset" => vec![TOKEN, PASSWORD],
        "activation" | "confirmation" => vec![TOKEN],
        "password" => vec![("current_password", PASSWORD.1), ("password", "another long password")],
        "deletion" if address == "/app/account/deletion" => vec![PASSWORD],
        "conversations" | "generations" => vec![("prompt", "a boat"), PRESS],
        "repetition" => vec![PRESS],
        "runs" => vec![("number", "2")],
        "title" => vec![("title", "Boats")],
        "archival" | "retrieval" => vec![("list", "1")],
        "favorite" => vec![("on", "1"), ("back", "")],
        "shares" => vec![("days", "1"), ("prompt", "1")],
        "exports" => vec![("everything", "1")],
        "device" => vec![("endpoint", "https://push.example/1"), ("p256dh", "x"), ("auth", "x")],
        "theme" => vec![("theme", "dark")],
        "details" => vec![("billed_to", "Ada Ltd")],
        "early-start" => vec![("waiting", "1")],
        "invoices" => vec![("processor", "btcpay")],
        _ if address.starts_with("/pay/") => vec![("processor", "btcpay")],
        _ => vec![],
    }
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
    let closed = routes(|policy| policy.who == Who::SignedIn && policy.method == "GET");
    let closed: Vec<_> = closed.into_iter().map(|policy| policy.path).collect();
    assert!(addresses(&Method::GET).iter().all(|uri| !uri.starts_with("/app") || closed.contains(uri)));
    assert!(closed.iter().any(|uri| uri.contains('{')));

    for address in &closed {
        let mut opened = 0;
        for path in with_ids(address, &pids) {
            let answer = app.visitor().get(&path).await;
            assert_eq!(answer.status, 303, "{path}");
            assert!(answer.location() == "/login" || answer.location().starts_with("/login?next="), "{path}");
            assert!(!answer.body.contains("ada@") && !answer.body.contains("secret garden"), "{path}");
            opened += usize::from([200, 302, 303].contains(&ada.get(&path).await.status));
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
        let with_id_inside: Vec<_> =
            routes(|policy| policy.method == method.as_str() && !policy.objects.is_empty() && policy.who != Who::Staff);
        let with_id_inside: Vec<_> = with_id_inside.into_iter().map(|policy| policy.path).collect();
        assert!(!with_id_inside.is_empty());
        for address in with_id_inside {
            let ask = async |path: String| -> Answer {
                let request = eve.request(method.clone(), &path).header("sec-fetch-site", "same-origin");
                let request = if method == Method::POST { request.form(&form_of(address)) } else { request };
                eve.send(request).await
            };
            let absent = ask(with_id(address, &never_was)).await;
            assert_eq!(absent.status, 404, "{method} {address}");
            for pid in &pids {
                let hers = ask(with_id(address, pid)).await;
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
    let targets = addresses(&Method::POST);
    assert!(targets.contains(&"/logout") && targets.contains(&"/app/conversations"));

    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost.evil.example"),
    ] {
        for address in &targets {
            for path in with_ids(address, &pids) {
                let request = ada.request(Method::POST, &path).header(name, value).form(&form_of(address));
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
            let request = person.request(Method::POST, &path).header(name, value).form(&form_of(address));
            let answer = person.send(request).await;
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
    for address in addresses(&Method::GET).into_iter().chain(["/nothing/here"]) {
        let cache = policy::of(&Method::GET, address).map_or(Cache::Nothing, |policy| policy.cache);
        for path in with_ids(address, &pids) {
            for person in [&ada, &app.visitor()] {
                let answer = person.get(&path).await;
                if cache == Cache::Owner && answer.status == 200 {
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

/// A method that a route does not take is said to be none, with those that it takes, and changes nothing.
#[tokio::test]
async fn other_methods_are_refused() {
    let (app, ada, pids) = with_a_picture().await;
    app.idle().await;
    let before = everything(&app).await;
    let mut paths: Vec<_> = policy::all().iter().map(|policy| policy.path).collect();
    paths.sort_unstable();
    paths.dedup();
    for address in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if policy::of(&method, address).is_some() {
                continue;
            }
            let path = with_ids(address, &pids).remove(0);
            let request = ada.request(method.clone(), &path).header("sec-fetch-site", "same-origin");
            let answer = ada.send(request).await;
            if address == "/admin" || address.starts_with("/admin/") {
                assert_eq!(answer.status, 404, "{method} {path}: for her there is nothing");
                continue;
            }
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
            assert_eq!(answer.html().texts("h1"), ["That does not work here"], "{method} {path}");
        }
    }
    assert_eq!(everything(&app).await, before);
    app.finish().await;
}

/// X49: whatever else a form says, no column moves that it is not for: nobody becomes staff, nothing becomes free, nobody
/// else's rows change.
#[tokio::test]
async fn forms_bring_nothing_but_their_fields() {
    let (app, ada, pids) = with_a_picture().await;
    let eve = app.user("eve").await.id.to_string();
    let privileged = async || {
        app.idle().await;
        let mut facts = vec![app.text("SELECT CAST(COALESCE(SUM(granted), 0) AS TEXT) FROM allowances").await];
        for rows in [
            "users WHERE role <> 'user'",
            "users WHERE status <> 'activated'",
            "users WHERE deleted_at IS NOT NULL",
            "users WHERE session_epoch <> 0",
            "invoices WHERE price_minor <> 999 OR state IN ('paid', 'refunded') OR marked",
            "provider_keys WHERE state <> 'active' OR max_concurrency <> 4",
            &format!("conversations WHERE user_id = {eve}"),
            &format!("generations WHERE user_id = {eve}"),
            &format!("assets WHERE user_id = {eve}"),
            &format!("invoices WHERE user_id = {eve}"),
            "assets WHERE origin = 'upload'",
            "debts",
        ] {
            facts.push(app.count(&format!("SELECT COUNT(*) FROM {rows}")).await.to_string());
        }
        facts
    };
    let before = privileged().await;
    // The words of every table's columns, and of what a page never asks for.
    let more = [
        ("role", "admin"),
        ("is_admin", "true"),
        ("status", "activated"),
        ("activated_at", "2020-01-01"),
        ("session_epoch", "7"),
        ("deleted_at", "2020-01-01"),
        ("user_id", eve.as_str()),
        ("user", eve.as_str()),
        ("id", "1"),
        ("pid", "00000000-0000-7000-8000-000000000001"),
        ("granted", "999"),
        ("available", "999"),
        ("posted", "999"),
        ("quota", "999"),
        ("kind", "tokens"),
        ("amount", "999"),
        ("price", "1"),
        ("price_minor", "1"),
        ("paid_minor", "999"),
        ("state", "paid"),
        ("marked", "true"),
        ("paid_at", "2020-01-01"),
        ("origin", "upload"),
        ("storage_key", "../../etc/passwd"),
        ("asset_id", "1"),
        ("hold_id", "1"),
        ("run_id", "1"),
        ("secret_enc", "x"),
        ("max_concurrency", "99"),
        ("password_hash", "x"),
        ("token_hash", "x"),
        ("expires_at", "2099-01-01"),
    ];
    let mut refused = 0;
    for policy in
        routes(|policy| policy.forgery == Forgery::OwnPages && policy.who != Who::Staff && policy.path != "/logout")
    {
        let fields = form_of(policy.path);
        // The composer and the list of archives take what they know and lose nobody a prompt for the rest.
        let is_lenient = policy.body_max > (1 << 20) || policy.path == "/app/exports";
        let form: Vec<_> = fields.iter().copied().chain(more).collect();
        for path in with_ids(policy.path, &pids) {
            let answer = if policy.body_max > (1 << 20) {
                ada.post_multipart(&path, &form, None).await
            } else {
                ada.post(&path, &form).await
            };
            assert!(answer.status < 500, "{path}: {}", answer.body);
            if !fields.is_empty() && !is_lenient && answer.status != 404 {
                assert_eq!(answer.status, 400, "{path}: {}", answer.body);
                assert!(answer.html().text().contains("a field that is not known here"), "{path}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 15, "{refused}");
    assert_eq!(privileged().await, before);
    assert_eq!(ada.get("/app").await.status, 200, "nor is she somebody else");
    app.finish().await;
}

/// F13: what costs us is counted by session and by address; the answer says when to come again, and nothing is started.
#[tokio::test]
async fn what_is_costly_is_counted() {
    let (app, ada, pids) = with_a_picture().await;
    app.idle().await;
    let costly = routes(|policy| policy.rate == Rate::Costly);
    assert!(costly.len() >= 5);
    ada.post("/app/billing/invoices", &[]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM throttles WHERE key LIKE 'costly-%'").await, 2, "session and address");
    for whose in ["costly-session", "costly-address"] {
        app.sql(&format!("UPDATE throttles SET busy_until = busy_until + 600000000 WHERE key LIKE '{whose}%'")).await;
        let before = everything(&app).await;
        for policy in &costly {
            let path = with_ids(policy.path, &pids).remove(0);
            let answer = ada.post(&path, &form_of(policy.path)).await;
            assert_eq!(answer.status, 429, "{path}");
            let seconds: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=600).contains(&seconds), "{path}: {seconds}");
            assert_eq!(answer.html().texts("h1"), ["Not so fast"], "{path}");
        }
        assert_eq!(everything(&app).await, before);
        app.sql(&format!("DELETE FROM throttles WHERE key LIKE '{whose}%'")).await;
    }
    assert_eq!(ada.get("/app").await.status, 200, "looking is free");
    assert_ne!(ada.post("/app/billing/invoices", &[]).await.status, 429);
    app.idle().await;
    app.finish().await;
}

/// What staff have is not there for anybody else.
#[tokio::test]
async fn what_is_for_staff_is_not_there() {
    let (app, ada, pids) = with_a_picture().await;
    let before = everything(&app).await;
    for policy in routes(|policy| policy.who == Who::Staff) {
        let path = with_ids(policy.path, &pids).remove(0);
        let method: Method = policy.method.parse().unwrap();
        for person in [&ada, &app.visitor()] {
            let request = person.request(method.clone(), &path).header("sec-fetch-site", "same-origin");
            let request = if method == Method::POST { request.form(&form_of(policy.path)) } else { request };
            let answer = person.send(request).await;
            let leads_to_login = answer.status == 303 && answer.location().starts_with("/login");
            assert!(answer.status == 404 || leads_to_login, "{method} {path}: {}", answer.status);
        }
    }
    assert_eq!(everything(&app).await, before);
    app.finish().await;
}

/// A page is packed for a browser that can unpack it. An answer that goes into a few packets anyway is not.
#[tokio::test]
async fn what_is_large_is_packed() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let packed = async |path: &str| {
        let answer = ada.send(ada.request(Method::GET, path).header("accept-encoding", "gzip")).await;
        (answer.header("content-encoding") == "gzip", answer.bytes.len())
    };
    let (is_packed, size) = packed("/app").await;
    assert!(is_packed && size * 2 < ada.get("/app").await.bytes.len(), "{size}");
    assert!(!packed("/health").await.0);
    app.finish().await;
}
