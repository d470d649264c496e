//! The pool at the console: taking keys out, testing them, bringing them back; proxies; balances.

use nproxy::models::activities;
use sandbox::{Fault, Proxy, ProxyFault, ProxyKind, ProxyOptions};
use serde_json::{Value, json};

use crate::support::{Finished, Setup, TestApp};

/// The binary with the sandbox as its vendor, as `bin/dev` would have it.
async fn run(app: &TestApp, arguments: &[&str]) -> Finished {
    let mut command = app.command();
    Finished::of(command.env("GEMINI_BASE_URL", app.sandbox.url()).arg("task").args(arguments)).await
}

fn json_of(end: &Finished) -> Value {
    let line = end.out.lines().find(|line| line.starts_with(['{', '['])).unwrap_or_else(|| panic!("{}", end.said()));
    serde_json::from_str(line).unwrap()
}

/// F40, F61: a key under review is tested first; while the vendor does not take it, it stays out, unless the operator
/// insists; once it does, the key comes back with a clean slate. Each change is one activity of the console's.
#[tokio::test]
async fn a_key_comes_back_by_an_operator() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    let id = app.key("sandbox-k1").await.id;
    app.sql("UPDATE provider_keys SET state = 'manual_review', consecutive_failures = 11 WHERE label = 'sandbox-k1'")
        .await;
    app.sql("UPDATE provider_keys SET last_error = 'x' WHERE label = 'sandbox-k1'").await;

    gemini.fault("sandbox-k1", Fault::KeyInvalid);
    let tested = run(&app, &["key_test", "key:sandbox-k1", "json:true"]).await;
    assert_eq!(tested.code, Some(1), "{}", tested.said());
    let told = json_of(&tested);
    assert_eq!((&told["ok"], &told["class"], &told["via"]), (&json!(false), &json!("credential"), &json!("direct")));

    let refused = run(&app, &["key_activate", "key:sandbox-k1"]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.said());
    assert!(refused.err.contains("stays manual_review: the vendor does not take it (directly): credential (400)"));
    assert!(!refused.said().contains("sandbox-k1 "), "the label is shown, never the secret: {}", refused.said());
    assert_eq!(app.key("sandbox-k1").await.state, "manual_review");

    let forced = run(&app, &["key_activate", &format!("key:{id}"), "unasked:true"]).await;
    assert_eq!(forced.code, Some(0), "{}", forced.said());
    let key = app.key("sandbox-k1").await;
    assert_eq!((key.state.as_str(), key.consecutive_failures, key.last_error), ("active", 0, None));

    let disabled = run(&app, &["key_disable", "key:sandbox-k1", "reason:it leaked", "json:true"]).await;
    assert_eq!((disabled.code, &json_of(&disabled)["state"]), (Some(0), &json!("disabled")));
    gemini.heal_all();
    let activated = run(&app, &["key_activate", "key:sandbox-k1"]).await;
    assert_eq!(activated.code, Some(0), "{}", activated.said());
    let tested = run(&app, &["key_test", "key:sandbox-k1"]).await;
    assert!(tested.out.contains("the vendor takes it (directly)"), "{}", tested.said());

    let moves = activities::about(&app.ctx.db, "provider_key", id).await.unwrap();
    let moves = moves.iter().rev().filter(|row| row.activity_type == "change_provider_key_state");
    let moves: Vec<_> = moves.map(|row| (row.actor_type.as_str(), row.detail.clone())).collect();
    assert_eq!(
        moves,
        [
            ("cli", json!({ "from": "manual_review", "to": "active", "reason": "activated on the console" })),
            ("cli", json!({ "from": "active", "to": "disabled", "reason": "it leaked" })),
            ("cli", json!({ "from": "disabled", "to": "active", "reason": "activated on the console" })),
        ]
    );
    let unknown = run(&app, &["key_test", "key:nothing"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("there is no key \"nothing\"; nproxy task key_list shows them"), "{}", unknown.said());
    app.finish().await;
}

/// F61: a proxy is added without its password being shown, listed, tested, given to a key, taken out of use.
#[tokio::test]
async fn a_proxy_at_the_console() {
    let app = TestApp::with(Setup { keys: vec![], jobs: false, ..Setup::default() }).await;
    let auth = Some(("ann".into(), "canary-password".into()));
    let proxy = Proxy::start(ProxyOptions { kind: ProxyKind::Socks5, auth, fault: None }).await.unwrap();
    let add = ["task", "proxy_add", "label:way", "url_env:WAY"];
    let mut command = app.command();
    let added = Finished::of(command.env("WAY", proxy.url()).args(add)).await;
    assert_eq!(added.code, Some(0), "{}", added.said());
    assert!(added.out.contains("(way) added") && !added.said().contains("canary"), "{}", added.said());
    let mut command = app.command();
    let again = Finished::of(command.env("WAY", proxy.url()).args(add)).await;
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("there is a proxy labelled \"way\" already"), "{}", again.said());
    let mut command = app.command();
    let wrong =
        Finished::of(command.env("WAY", "ftp://canary@x").args(["task", "proxy_add", "label:b", "url_env:WAY"])).await;
    assert_eq!(wrong.code, Some(1));
    assert!(!wrong.said().contains("canary"), "{}", wrong.said());

    let mut command = app.command();
    let key = ["task", "key_add", "provider:gemini", "label:k", "secret_env:KEY", "proxy:way"];
    assert_eq!(Finished::of(command.env("KEY", "sandbox-k1").args(key)).await.code, Some(0));

    let tested = run(&app, &["proxy_test", "proxy:way", "json:true"]).await;
    assert_eq!((tested.code, &json_of(&tested)["ok"]), (Some(0), &json!(true)), "{}", tested.said());
    let tested = run(&app, &["key_test", "key:k"]).await;
    assert!(tested.out.contains("the vendor takes it (through its proxy)"), "{}", tested.said());

    proxy.fail(Some(ProxyFault::Refuse407));
    let tested = run(&app, &["proxy_test", "proxy:way"]).await;
    assert_eq!(tested.code, Some(1));
    assert!(tested.err.contains("proxy_fault") && !tested.said().contains("canary"), "{}", tested.said());
    let tested = run(&app, &["key_test", "key:k"]).await;
    assert!(tested.out.contains("the vendor takes it (directly, because the proxy is at fault"), "{}", tested.said());
    let listed = run(&app, &["proxy_list", "json:true"]).await;
    let row = &json_of(&listed)[0];
    assert_eq!(
        (&row["label"], &row["state"], &row["consecutive_failures"]),
        (&json!("way"), &json!("active"), &json!(2))
    );
    assert!(!listed.said().contains("canary"), "{}", listed.said());

    for (task, state) in [("proxy_disable", "disabled"), ("proxy_activate", "active")] {
        let switched = run(&app, &[task, "proxy:way"]).await;
        assert!(switched.out.contains(&format!("(way) is {state}")), "{}", switched.said());
    }
    assert!(run(&app, &["proxy_list"]).await.out.contains("active"));
    app.finish().await;
}

/// F39: an operator enters what an account holds, our pictures are taken off, and a key that cannot pay for the next one
/// is out of funds — at once by the picture that emptied it, and by the scheduled look as well.
#[tokio::test]
async fn a_metered_balance_runs_out() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1", "sandbox-k2"], ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let entered = run(&app, &["key_balance", "key:sandbox-k1", "dollars:0.10"]).await;
    assert_eq!(entered.code, Some(0), "{}", entered.said());
    assert!(entered.out.contains("has $0.10"), "{}", entered.said());
    let bo = app.sign_in("bo").await;

    bo.make("a boat", &[]).await;
    assert_eq!(app.key("sandbox-k1").await.balance_micros, Some(66_400));
    bo.make("a boat", &[]).await;
    bo.make("a boat", &[]).await;
    let key = app.key("sandbox-k1").await;
    assert_eq!((key.state.as_str(), key.balance_micros), ("out_of_funds", Some(32_800)), "not enough for one more");
    assert_eq!(app.count("SELECT CAST(SUM(cost_micros) AS BIGINT) FROM attempts").await, 3 * 33_600);
    assert_eq!(app.key("sandbox-k2").await.balance_micros, None, "nobody said anything about this one");

    // A top-up alone brings nothing back.
    run(&app, &["key_balance", "key:sandbox-k1", "dollars:50"]).await;
    run(&app, &["provider_balance_refresh"]).await;
    assert_eq!(app.key("sandbox-k1").await.state, "out_of_funds");
    let listed = run(&app, &["key_list"]).await;
    assert!(listed.out.contains("$50.00, "), "{}", listed.out);

    run(&app, &["key_balance", "key:sandbox-k2", "dollars:0"]).await;
    let read = run(&app, &["provider_balance_refresh", "json:true"]).await;
    assert_eq!(read.code, Some(0), "{}", read.said());
    let rows = json_of(&read);
    assert_eq!(rows[1]["out_of_funds"], json!(true), "{rows}");
    assert_eq!(app.pool().await, ["k1 out_of_funds", "k2 out_of_funds"]);
    app.finish().await;
}
