//! The operator's commands, through the real binary.

mod allowances;
mod audit;
mod backups;
mod doctor;
mod every_task;
mod invoices;
mod keys;

use nproxy::models::activities;
use serde_json::Value;

use crate::support::{Finished, Setup, TestApp};

const SECRET: &str = "AIza-canary-of-an-operator-0001";

async fn quiet() -> TestApp {
    TestApp::with(Setup { jobs: false, ..Setup::default() }).await
}

/// F61: a task without its arguments says how it is used and leaves with 1.
#[tokio::test]
async fn every_task_says_how_it_is_used() {
    let app = quiet().await;
    for (arguments, usage) in [
        (vec!["grant"], "nproxy task grant email:ADDRESS kind:quota|trial|tokens amount:NUMBER"),
        (vec!["grant", "email:ada@example.com", "kind:gold", "amount:1"], "kind:gold is not known"),
        (vec!["grant", "email:ada@example.com", "kind:tokens", "amount:0"], "amount: takes a number above zero"),
        (vec!["grant", "email:ada@example.com", "kind:quota", "amount:1", "months:x"], "months: takes a number"),
        (vec!["key_add"], "nproxy task key_add provider:gemini label:NAME secret_env:VARIABLE"),
        (vec!["key_add", "provider:gemini", "secret_env:PATH"], "label: is missing"),
        (vec!["key_activate"], "nproxy task key_activate key:ID|LABEL [reason:TEXT] [unasked:true]"),
        (vec!["key_disable"], "nproxy task key_disable key:ID|LABEL"),
        (vec!["key_test"], "nproxy task key_test key:ID|LABEL"),
        (vec!["key_balance", "key:sandbox-k1"], "nproxy task key_balance key:ID|LABEL dollars:12.50"),
        (vec!["key_balance", "key:sandbox-k1", "dollars:1e3"], "dollars: takes an amount such as 12.50"),
        (vec!["proxy_add", "label:a"], "nproxy task proxy_add label:NAME url_env:VARIABLE | url_file:PATH"),
        (vec!["proxy_test"], "nproxy task proxy_test proxy:ID|LABEL"),
        (vec!["proxy_activate"], "nproxy task proxy_activate proxy:ID|LABEL [reason:TEXT]"),
        (vec!["proxy_disable"], "nproxy task proxy_disable proxy:ID|LABEL [reason:TEXT]"),
        (vec!["user_activate"], "nproxy task user_activate email:ADDRESS"),
        (vec!["admin_create"], "nproxy task admin_create email:ADDRESS [role:owner|admin|support]"),
        (vec!["role_change", "email:ada@example.com"], "role: is missing"),
        (vec!["second_factor_reset"], "nproxy task second_factor_reset email:ADDRESS [reason:TEXT]"),
        (vec!["switch_set", "name:coffee", "on:true"], "name:coffee is not known"),
        (vec!["switch_set", "name:banner", "on:maybe"], "on:maybe is neither true nor false"),
        (vec!["switch_set", "name:banner", "on:true"], "a banner needs one"),
        (vec!["user_block"], "nproxy task user_block email:ADDRESS [reason:TEXT] [json:true]"),
        (vec!["user_unblock"], "nproxy task user_unblock email:ADDRESS [reason:TEXT] [json:true]"),
    ] {
        let end = app.nproxy(&[&["task"], arguments.as_slice()].concat()).await;
        assert_eq!(end.code, Some(1), "{arguments:?}: {}", end.said());
        assert!(end.said().contains(usage), "{arguments:?}: {}", end.said());
        assert!(end.err.lines().any(|line| line.starts_with("usage: nproxy task ")), "{arguments:?}: {}", end.said());
    }
    app.finish().await;
}

/// F51, F61: a key comes in through the environment; the command never repeats it, the list shows its last characters.
#[tokio::test]
async fn a_key_is_added_without_being_shown() {
    let app = TestApp::with(Setup { keys: vec![], jobs: false, ..Setup::default() }).await;
    let arguments = ["task", "key_add", "provider:gemini", "label:main", "secret_env:OPERATOR_KEY", "concurrency:2"];
    let add = || async {
        let mut command = app.command();
        Finished::of(command.env("OPERATOR_KEY", SECRET).args(arguments)).await
    };

    let added = add().await;
    assert_eq!(added.code, Some(0), "{}", added.said());
    assert!(added.out.contains("(gemini main, …0001) added"), "{}", added.out);
    assert!(!added.said().contains("canary"), "{}", added.said());

    let again = add().await;
    assert_eq!(again.code, Some(1), "{}", again.said());
    assert!(again.said().contains("there is a key labelled \"main\" already"), "{}", again.said());
    assert!(!again.said().contains("canary"), "{}", again.said());

    let unset = app.nproxy(&arguments).await;
    assert_eq!(unset.code, Some(1));
    assert!(unset.said().contains("the environment variable OPERATOR_KEY is not set"), "{}", unset.said());

    let stranger = app.nproxy(&["task", "key_add", "provider:acme", "label:x", "secret_env:PATH"]).await;
    assert_eq!(stranger.code, Some(1));
    assert!(stranger.said().contains("provider \"acme\" is not known"), "{}", stranger.said());

    let list = app.nproxy(&["task", "key_list", "json:true"]).await;
    assert_eq!(list.code, Some(0), "{}", list.said());
    let mut keys: Value = serde_json::from_str(list.out.lines().find(|line| line.starts_with('[')).unwrap()).unwrap();
    keys[0]["id"] = "[id]".into();
    insta::assert_snapshot!(keys, @r#"[{"balance_checked_at":null,"balance_micros":null,"balance_source":null,"consecutive_failures":0,"cooldown_until":null,"days_left":null,"failures":0,"hint":"…0001","id":"[id]","label":"main","max_concurrency":2,"provider":"gemini","reason":null,"state":"active","successes":0}]"#);
    app.finish().await;
}

/// F61: the list of an empty pool says what to do.
#[tokio::test]
async fn an_empty_pool_says_what_to_do() {
    let app = TestApp::with(Setup { keys: vec![], jobs: false, ..Setup::default() }).await;
    let list = app.nproxy(&["task", "key_list"]).await;
    assert_eq!(list.code, Some(0), "{}", list.said());
    assert!(list.out.contains("no keys yet; add one with: nproxy task key_add"), "{}", list.out);
    app.finish().await;
}

/// F61, F62: a grant on the console arrives, with the operator as its author in the ledger and in the audit log.
#[tokio::test]
async fn a_grant_arrives() {
    let app = quiet().await;
    let given =
        app.nproxy(&["task", "grant", "email:Ada@Example.com", "kind:tokens", "amount:500", "reason:thanks"]).await;
    assert_eq!(given.code, Some(0), "{}", given.said());
    assert!(given.out.contains("500 tokens granted"), "{}", given.out);
    assert_eq!(app.story("ada").await, "trial: grant 3\ntokens: grant 500");
    assert_eq!(app.text("SELECT actor FROM ledger_entries WHERE posted_delta = 500").await, "cli:console");
    assert_eq!(app.text("SELECT reason FROM ledger_entries WHERE posted_delta = 500").await, "thanks");
    let ada = app.user("ada").await;
    let trace = activities::about(&app.ctx.db, "user", ada.id).await.unwrap();
    let grants = trace.iter().filter(|row| row.activity_type == "grant_allowance").count();
    assert_eq!((grants, trace[0].actor_type.as_str()), (1, "cli"));

    let nobody = app.nproxy(&["task", "grant", "email:nobody@example.com", "kind:tokens", "amount:5"]).await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.said().contains("there is no account nobody@example.com"), "{}", nobody.said());
    app.finish().await;
}

/// F7, F61: an account whose mail never arrived is opened by hand — once, with its free pictures and one trace.
#[tokio::test]
async fn an_account_is_opened_by_hand() {
    let app = quiet().await;
    let visitor = app.visitor();
    let form = [("email", "fay@example.com"), ("password", "a long enough sentence")];
    let registered = visitor.post("/register", &form).await;
    assert!(registered.status < 400, "{}", registered.html().text());
    assert_eq!(app.user("fay").await.status, "new");

    for _ in 0..2 {
        let opened = app.nproxy(&["task", "user_activate", "email:fay@example.com"]).await;
        assert_eq!(opened.code, Some(0), "{}", opened.said());
        assert!(opened.out.contains("fay@example.com is activated"), "{}", opened.out);
    }
    assert_eq!(app.story("fay").await, "trial: grant 3");
    let fay = app.user("fay").await;
    let trace = activities::about(&app.ctx.db, "user", fay.id).await.unwrap();
    let opened: Vec<_> = trace.iter().filter(|row| row.actor_type == "cli").collect();
    assert_eq!(opened.len(), 1, "{trace:?}");

    let nobody = app.nproxy(&["task", "user_activate", "email:nobody@example.com"]).await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.said().contains("there is no account nobody@example.com"), "{}", nobody.said());
    app.finish().await;
}

/// F12, F61: an account is blocked and unblocked on the console, with one trace each however often it is said.
#[tokio::test]
async fn an_account_is_blocked_by_hand() {
    let app = quiet().await;
    for (task, status) in [("user_block", "blocked"), ("user_unblock", "activated")] {
        for _ in 0..2 {
            let end = app.nproxy(&["task", task, "email:Ada@example.com", "reason:spam", "json:true"]).await;
            assert_eq!(end.code, Some(0), "{}", end.said());
            let line = end.out.lines().find(|line| line.starts_with('{')).unwrap();
            let said: Value = serde_json::from_str(line).unwrap();
            assert_eq!((said["email"].as_str(), said["status"].as_str()), (Some("ada@example.com"), Some(status)));
        }
        let nobody = app.nproxy(&["task", task, "email:nobody@example.com"]).await;
        assert_eq!(nobody.code, Some(1));
        assert!(nobody.said().contains("there is no account nobody@example.com"), "{}", nobody.said());
    }
    let trace = activities::about(&app.ctx.db, "user", app.user("ada").await.id).await.unwrap();
    let by_hand: Vec<_> = trace.iter().filter(|row| row.actor_type == "cli").collect();
    assert_eq!(by_hand.len(), 2, "{trace:?}");
    assert!(by_hand.iter().all(|row| row.detail["reason"] == "spam" && row.actor_id == "console"));
    app.finish().await;
}

/// Jobs that were over two weeks ago are taken away; what was over since stays, and what waits, however long. A dead one stays
/// with its reason until somebody looks after it, or a later one has done its work.
#[tokio::test]
async fn jobs_that_are_long_over_go() {
    let app = quiet().await;
    for (class, state, days) in [
        ("Dead", "dead", 15),
        ("Mended", "dead", 15),
        ("Mended", "done", 15),
        ("Old", "done", 15),
        ("Waiting", "queued", 15),
        ("Young", "done", 13),
    ] {
        let (finished, error) = match state {
            "queued" => ("NULL", "NULL"),
            "done" => ("created_at", "NULL"),
            _ => ("created_at", "'out of luck'"),
        };
        app.sql(&format!(
            "INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, created_at, finished_at, last_error) \
             SELECT '{class}', '{{}}', 'default', 0, '{state}', created_at, 1, 10, created_at, {finished}, {error} \
             FROM users WHERE email = 'ada@example.com'"
        ))
        .await;
        let then = chrono::Utc::now() - chrono::TimeDelta::days(days);
        app.set_time("jobs", "created_at", then, &format!("class = '{class}'")).await;
        app.set_time("jobs", "finished_at", then, &format!("class = '{class}' AND finished_at IS NOT NULL")).await;
    }
    let tidied = app.nproxy(&["task", "jobs_tidy"]).await;
    assert_eq!(tidied.code, Some(0), "{}", tidied.said());
    assert!(tidied.out.contains("2 jobs taken away"), "{}", tidied.said());
    for _ in 0..2 {
        let kept = "SELECT class || ' ' || state || ' ' || COALESCE(last_error, '') FROM jobs \
                    WHERE class IN ('Dead', 'Mended', 'Old', 'Waiting', 'Young') ORDER BY id";
        assert_eq!(
            app.texts(kept).await,
            ["Dead dead out of luck", "Mended dead cancelled", "Waiting queued ", "Young done "]
        );
        app.task("jobs_tidy", &[]).await.unwrap();
    }
    app.finish().await;
}

/// F61: the scheduled tasks have nothing to say when there is nothing to do; an unknown task is refused.
#[tokio::test]
async fn scheduled_tasks_run_by_hand() {
    let app = quiet().await;
    let timetable = [
        "account_cleanup",
        "alert_check",
        "allowance_expiry",
        "audit_check",
        "invoice_poll",
        "jobs_tidy",
        "key_cooldown_recovery",
        "object_check",
        "object_sweep",
        "provider_balance_refresh",
        "renewal_invoices",
        "subscription_expiry_warnings",
        "stuck_run_recovery",
    ];
    for name in timetable {
        let end = app.nproxy(&["task", name]).await;
        assert_eq!(end.code, Some(0), "{}", end.said());
    }
    let unknown = app.nproxy(&["task", "make_coffee"]).await;
    assert_eq!(unknown.code, Some(1), "{}", unknown.said());
    app.finish().await;
}
