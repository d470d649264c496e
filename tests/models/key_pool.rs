//! How a run finds a key that works, and what the person sees of it: a picture, or one clear sentence.

use std::time::Duration;

use futures::future::join_all;
use nproxy::models::{
    activities::Actor,
    provider_keys::{self, Addition, Lease, NewKey, NewProxy, Wish},
};
use sandbox::{Fault, Proxy, ProxyFault, ProxyKind, ProxyOptions, gemini::EVERY_KEY};
use serde_json::json;

use crate::support::{Html, Setup, TestApp, eventually, is_postgres};

/// F32: three keys take turns — k1 k2 k3 k1 k2 k3.
#[tokio::test]
async fn keys_take_turns() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    for _ in 0..6 {
        bo.make("a boat", &[]).await;
    }
    assert_eq!(used(&app).join(" "), "k1 k2 k3 k1 k2 k3");
    app.finish().await;
}

/// F33: one key answers 500, the next never answers, the third draws — the picture arrives as usual, the first two rest,
/// and no two keys ever worked on the same place at the same time.
#[tokio::test]
async fn the_third_key_saves_the_run() {
    let app = TestApp::with(Setup { pool: json!({ "call_secs": 4 }), ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.fault("sandbox-k1", Fault::Status { code: 500 });
    gemini.fault("sandbox-k2", Fault::Hang);
    let ada = app.sign_in("ada").await;

    let page = ada.make("a boat", &[]).await;

    assert_eq!(page.texts(".cell img").len(), 1);
    assert!(!page.has("[id^=run-] .alert"), "{}", page.text());
    assert_eq!(app.calls().await, ["k1 direct transient", "k2 direct ambiguous", "k3 direct delivered"]);
    assert_eq!(app.pool().await, ["k1 cooldown 1", "k2 cooldown 1", "k3 active"]);
    let calls = gemini.calls();
    for pair in calls.windows(2) {
        assert!(pair[0].finished_at.unwrap() <= pair[1].started_at, "two keys at once");
    }
    app.finish().await;
}

/// F34: a prompt that the provider declines is the end of it — one attempt, no key suffers, nothing is charged.
#[tokio::test]
async fn a_declined_prompt_is_not_tried_elsewhere() {
    let app = TestApp::start().await;
    app.sandbox.gemini().fault(EVERY_KEY, Fault::RefusedPrompt);
    let ada = app.sign_in("ada").await;

    let page = ada.make("something declined", &[]).await;

    assert!(page.text().contains("declined this prompt. You were not charged."), "{}", page.text());
    assert_eq!(app.calls().await, ["k1 direct refused"]);
    assert_eq!(app.pool().await, ["k1 active", "k2 active", "k3 active"]);
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -1 / release 1");
    app.finish().await;
}

/// F35: only when every key has failed does the person hear of it: one sentence without a word of the provider's, each key
/// tried exactly once, nothing charged.
#[tokio::test]
async fn all_keys_failing_is_one_clear_sentence() {
    let app = TestApp::start().await;
    app.sandbox.gemini().fault(EVERY_KEY, Fault::Status { code: 500 });
    let ada = app.sign_in("ada").await;

    let page = ada.make("a boat", &[]).await;

    assert_eq!(page.texts("[id^=run-] .alert").len(), 1, "{}", page.0);
    assert!(page.text().contains("Temporarily unavailable, nothing was charged."), "{}", page.text());
    shows_nothing_of_the_provider(&app, &page).await;
    assert_eq!(app.calls().await, ["k1 direct transient", "k2 direct transient", "k3 direct transient"]);
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -1 / release 1");
    app.finish().await;
}

/// It must show: a batch of four while one key fails — four pictures, the failing key rests, the page tells nothing of it.
#[tokio::test]
async fn a_batch_of_four_survives_a_failing_key() {
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.fault("sandbox-k2", Fault::Status { code: 503 });
    let bo = app.sign_in("bo").await;

    let page = bo.make("four boats", &[("batch_size", "4")]).await;

    assert_eq!(page.texts(".cell img").len(), 4);
    assert!(!page.has("[id^=run-] .alert"), "{}", page.text());
    shows_nothing_of_the_provider(&app, &page).await;
    assert_eq!(app.pool().await, ["k1 active", "k2 cooldown 1", "k3 active"]);
    assert_eq!(app.count("SELECT captured_amount FROM holds").await, 4);
    app.finish().await;
}

/// F36: the proxy first; when it refuses, the same key directly — the call is noted both ways and the key keeps its name.
#[tokio::test]
async fn a_refusing_proxy_is_gone_round() {
    for (kind, fault) in [
        (ProxyKind::Socks5, ProxyFault::Refuse407),
        (ProxyKind::Socks5, ProxyFault::Drop),
        (ProxyKind::Http, ProxyFault::Refuse407),
        (ProxyKind::Http, ProxyFault::Refuse401),
    ] {
        let app = TestApp::with(Setup { keys: vec![], ..Setup::default() }).await;
        let auth = Some(("ann".into(), "canary-password".into()));
        let proxy = Proxy::start(ProxyOptions { kind, auth, fault: Some(fault) }).await.unwrap();
        add(&app, "sandbox-k1", "sandbox-k1", Some(proxy.url()), 4).await;
        let ada = app.sign_in("ada").await;

        let page = ada.make("a boat", &[]).await;

        assert_eq!(page.texts(".cell img").len(), 1, "{kind:?} {fault:?}: {}", page.text());
        assert!(proxy.connections() > 0, "the proxy was asked");
        assert_eq!(app.calls().await, ["k1 proxy proxy_fault", "k1 direct delivered"], "{kind:?} {fault:?}");
        assert_eq!(app.pool().await, ["k1 active"], "{kind:?} {fault:?}");
        assert_eq!(app.count("SELECT COUNT(*) FROM attempts WHERE detail LIKE '%canary%'").await, 0);
        app.finish().await;
    }
}

/// F36: a proxy that works carries the call, SOCKS5 with a password and plain HTTP alike.
#[tokio::test]
async fn a_working_proxy_carries_the_call() {
    for kind in [ProxyKind::Socks5, ProxyKind::Http] {
        let app = TestApp::with(Setup { keys: vec![], ..Setup::default() }).await;
        let auth = Some(("ann".into(), "canary-password".into()));
        let proxy = Proxy::start(ProxyOptions { kind, auth, fault: None }).await.unwrap();
        add(&app, "sandbox-k1", "sandbox-k1", Some(proxy.url()), 4).await;
        let ada = app.sign_in("ada").await;

        ada.make("a boat", &[]).await;

        assert_eq!(app.calls().await, ["k1 proxy delivered"], "{kind:?}");
        assert!(proxy.connections() > 0 && proxy.tunnels() > 0);
        assert!(app.sandbox.gemini().calls()[0].via_proxy);
        let sealed = app.text("SELECT url_enc FROM proxies").await;
        assert!(sealed.starts_with("v1.") && !sealed.contains("canary"), "{sealed}");
        app.finish().await;
    }
}

/// F32: a key never carries more calls at once than it may, however many pictures are asked for.
#[tokio::test]
async fn no_key_is_overloaded() {
    let setup = Setup { keys: vec!["sandbox-k1", "sandbox-k2"], max_concurrency: 2, ..Setup::default() };
    let app = TestApp::with(setup).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.latency(Duration::from_millis(600));
    let bo = app.sign_in("bo").await;

    let pages = join_all((0..5).map(|_| bo.make("four boats", &[("batch_size", "4")]))).await;

    let why = app.texts("SELECT state || ' ' || COALESCE(failure, '') FROM runs WHERE state <> 'succeeded'").await;
    assert_eq!(pages.iter().map(|page| page.texts(".cell img").len()).sum::<usize>(), 20, "{why:?}");
    for key in ["sandbox-k1", "sandbox-k2"] {
        assert_eq!(gemini.max_in_flight(key), 2, "{key}: full use and no more");
    }
    app.finish().await;
}

/// F27, F32: a key that has its hands full keeps nobody waiting while another is free, whosever turn it is.
#[tokio::test]
async fn a_busy_key_keeps_nobody_from_a_free_one() {
    let setup = Setup { keys: vec!["sandbox-k1", "sandbox-k2"], max_concurrency: 1, ..Setup::default() };
    let app = TestApp::with(setup).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.fault("sandbox-k1", Fault::Latency { ms: 120_000 });
    let bo = app.sign_in("bo").await;
    bo.ask("a slow boat", &[]).await;
    eventually("the slow call", || async { (gemini.in_flight("sandbox-k1") == 1).then_some(()) }).await;

    for _ in 0..3 {
        bo.make("a quick boat", &[]).await;
    }

    assert_eq!(used(&app), ["k1", "k2", "k2", "k2"]);
    app.abandon().await; // nobody waits for the slow one
}

/// F32: while one process is at a place with the only key there is, another that was given the same run waits for it and
/// does not give the place up: the picture is on its way, and perhaps billed.
#[tokio::test]
async fn a_place_that_is_worked_on_is_not_given_up() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1"], max_concurrency: 4, ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.fault("sandbox-k1", Fault::Latency { ms: 120_000 });
    let bo = app.sign_in("bo").await;
    bo.ask("a slow boat", &[]).await;
    eventually("the slow call", || async { (gemini.in_flight("sandbox-k1") == 1).then_some(()) }).await;
    let run_id = app.count("SELECT MAX(run_id) FROM key_leases").await;

    let position = app.count("SELECT position FROM key_leases").await;
    let wish = Wish { provider: "gemini", wire_model: "any", run_id, position, has_waited: true, alone: None };
    let answer = provider_keys::lease(&app.ctx, wish).await.unwrap();

    assert!(matches!(answer, Lease::Wait { until: Some(_) }), "{answer:?}");
    app.abandon().await; // nobody waits for the slow one
}

/// F51: what is stored of a secret is sealed, what is printed is blank, and no note of a failed call repeats it.
#[tokio::test]
async fn secrets_are_nowhere_to_be_read() {
    const CANARY: &str = "AIza-canary-0123456789-canary";
    let app = TestApp::with(Setup { keys: vec![], ..Setup::default() }).await;
    let new = new_key("first", CANARY, None, 4);
    assert!(!format!("{new:?}").contains("canary"), "{new:?}");
    add(&app, "first", CANARY, None, 4).await;
    let row = app.key("first").await;
    assert!(!format!("{row:?}").contains("canary-0123"), "{row:?}");
    assert!(row.secret_enc.starts_with("v1."), "{}", row.secret_enc);
    assert_eq!(row.secret_hint, "…nary");

    let ada = app.sign_in("ada").await;
    for fault in [Fault::Leaked, Fault::KeyInvalid, Fault::Status { code: 500 }, Fault::Html { code: 502 }] {
        app.sandbox.gemini().fault(CANARY, fault);
        ada.make("a boat", &[]).await;
        app.sql("UPDATE provider_keys SET state = 'active', cooldown_until = NULL").await;
    }
    assert_eq!(app.sandbox.gemini().calls().len(), 4, "the secret itself was sent");
    for column in
        ["attempts.detail", "provider_keys.last_error", "provider_keys.secret_enc", "activities.detail", "jobs.args"]
    {
        let (table, name) = column.split_once('.').unwrap();
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE CAST({name} AS TEXT) LIKE '%canary%'");
        assert_eq!(app.count(&sql).await, 0, "{column}");
    }
    if !is_postgres() {
        for file in std::fs::read_dir(app.folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if file.is_file() {
                let bytes = std::fs::read(&file).unwrap();
                let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
                assert!(!found, "{} holds the secret", file.display());
            }
        }
    }
    app.finish().await;
}

/// The operator restored a database under another `NPROXY_SECRET_KEY`, or a row was moved: the key that does not open is
/// passed over at once, and the next one draws.
#[tokio::test]
async fn a_secret_that_does_not_open_costs_no_picture() {
    let app = TestApp::start().await;
    app.sql("UPDATE provider_keys SET secret_enc = (SELECT k.secret_enc FROM provider_keys k WHERE k.label = 'sandbox-k2') WHERE label = 'sandbox-k1'").await;
    let ada = app.sign_in("ada").await;

    let page = ada.make("a boat", &[]).await;

    assert_eq!(page.texts(".cell img").len(), 1, "{}", page.text());
    assert_eq!(app.calls().await, ["k1 direct our_fault", "k2 direct delivered"]);
    app.finish().await;
}

/// Without any key the person is told at once, and pays nothing.
#[tokio::test]
async fn an_empty_pool_says_so() {
    let app = TestApp::with(Setup { keys: vec![], ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let page = ada.make("a boat", &[]).await;
    assert!(page.text().contains("Temporarily unavailable, nothing was charged."), "{}", page.text());
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -1 / release 1");
    app.finish().await;
}

/// The keys that were called, in order, by their short names.
fn used(app: &TestApp) -> Vec<String> {
    let calls = app.sandbox.gemini().calls();
    calls.iter().map(|call| call.key.trim_start_matches("sandbox-").to_owned()).collect()
}

fn new_key(label: &str, secret: &str, proxy: Option<String>, max_concurrency: i64) -> NewKey {
    NewKey {
        provider: "gemini".into(),
        label: label.into(),
        secret: secret.to_owned().into(),
        proxy: proxy.map(|url| NewProxy::Url(url.into())),
        max_concurrency,
    }
}

async fn add(app: &TestApp, label: &str, secret: &str, proxy: Option<String>, max_concurrency: i64) {
    let new = new_key(label, secret, proxy, max_concurrency);
    assert!(matches!(provider_keys::add(&app.ctx, new, &Actor::Cli).await.unwrap(), Addition::Added(_)));
}

/// Neither who serves the pictures nor what they said.
pub async fn shows_nothing_of_the_provider(app: &TestApp, page: &Html) {
    let page = page.0.to_lowercase();
    let mut words = vec!["sandbox-".to_owned(), "gemini".into(), "google".into(), "api key".into(), "cooldown".into()];
    for detail in app.texts("SELECT detail FROM attempts WHERE detail IS NOT NULL").await {
        words.push(detail.rsplit(": ").next().unwrap().chars().take(40).collect::<String>().to_lowercase());
    }
    for word in words.iter().filter(|word| !word.is_empty()) {
        assert!(!page.contains(word), "the page says {word:?}");
    }
}
