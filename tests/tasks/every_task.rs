//! Every task there is, and the commands that are no tasks, through the real binary.

use serde_json::Value;

use super::quiet;
use crate::support::{Finished, TestApp, eventually};

/// Tasks that look at what is there and say by their exit code whether it is right: without arguments they may fail.
const JUDGES: [&str; 5] = ["ledger_check", "object_check", "invoice_reconcile", "doctor", "backup"];

/// The tasks that the binary lists, with what it says about each.
async fn listed(app: &TestApp) -> Vec<(String, String)> {
    let list = app.nproxy(&["task"]).await;
    assert_eq!(list.code, Some(0), "{}", list.said());
    let lines = list.out.lines().filter_map(|line| line.split_once('['));
    lines.map(|(name, detail)| (name.trim().to_owned(), detail.trim_end_matches(']').to_owned())).collect()
}

/// F61: each task is listed with its usage. One that needs something says so, how it is used, and leaves with 1; one that
/// needs nothing does its work and leaves with 0.
#[tokio::test]
async fn each_is_listed_with_its_usage_and_leaves_honestly() {
    let app = quiet().await;
    let tasks = listed(&app).await;
    assert!(tasks.len() >= 40, "{tasks:?}");
    let (mut asking, mut willing) = (0, 0);
    for (name, detail) in &tasks {
        let usage = detail.split_once(&format!("nproxy task {name}")).map(|(_, rest)| rest.trim());
        let usage = usage.unwrap_or_else(|| panic!("{name} does not say how it is used: {detail}"));
        // What stands in brackets may be left out.
        let needs_something = !usage.is_empty() && !usage.starts_with('[');
        let end = app.nproxy(&["task", name]).await;
        if needs_something {
            assert_eq!(end.code, Some(1), "{name}: {}", end.said());
            let shown = end.err.lines().any(|line| line.starts_with(&format!("usage: nproxy task {name} ")));
            assert!(shown, "{name}: {}", end.said());
            asking += 1;
        } else if !JUDGES.contains(&name.as_str()) {
            assert_eq!(end.code, Some(0), "{name}: {}", end.said());
            willing += 1;
        }
    }
    assert!(asking >= 20 && willing >= 10, "{asking} {willing}");
    let unknown = app.nproxy(&["task", "make_coffee"]).await;
    assert_eq!(unknown.code, Some(1), "{}", unknown.said());
    app.finish().await;
}

fn json(end: &Finished) -> Value {
    let line = end.out.lines().find(|line| line.starts_with(['{', '['])).unwrap_or_else(|| panic!("{}", end.said()));
    serde_json::from_str(line).unwrap()
}

/// F61: an operator finds people, reads a run's calls and the audit log, and looks after jobs and keys, in words and in JSON.
#[tokio::test]
async fn an_operator_reads_and_mends() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let found = app.nproxy(&["task", "user_find", "email:BO@", "json:true"]).await;
    assert_eq!((found.code, &json(&found)[0]["email"]), (Some(0), &"bo@example.com".into()), "{}", found.said());
    assert_eq!(json(&found).as_array().unwrap().len(), 1);
    for nobody in ["email:nobody", "email:%", "email:b_@"] {
        let end = app.nproxy(&["task", "user_find", nobody]).await;
        assert_eq!(end.code, Some(1), "{}", end.said());
    }

    let bo = app.sign_in("bo").await;
    bo.make("a canary boat", &[]).await;
    let run = app.count("SELECT id FROM runs").await.to_string();
    let shown = app.nproxy(&["task", "run_show", &format!("run:{run}"), "json:true"]).await;
    let run_json = json(&shown);
    assert_eq!(
        (&run_json["state"], &run_json["attempts"][0]["outcome"]),
        (&"succeeded".into(), &"delivered".into()),
        "{run_json}"
    );
    let pid = run_json["pid"].as_str().unwrap().to_owned();
    let words = app.nproxy(&["task", "run_show", &format!("run:{pid}")]).await;
    assert_eq!(words.code, Some(0), "{}", words.said());
    assert!(
        words.out.contains("is succeeded: 1 of 1 pictures") && !words.said().contains("canary"),
        "{}",
        words.said()
    );
    assert_eq!(app.nproxy(&["task", "run_show", "run:99999"]).await.code, Some(1));

    app.task("key_disable", &[("key", "sandbox-k1")]).await.unwrap();
    let key = app.key("sandbox-k1").await.id;
    let log =
        app.nproxy(&["task", "activity_list", "actor:cli", &format!("about:provider_key:{key}"), "json:true"]).await;
    let log = json(&log);
    assert_eq!((&log[0]["activity"], &log[0]["actor"]), (&"change_provider_key_state".into(), &"cli:console".into()));
    assert_eq!(app.nproxy(&["task", "activity_list", "about:nonsense"]).await.code, Some(1));
    app.finish().await;
}

/// F61, F62: a dead job is seen, tried again or given up, each with its trace.
#[tokio::test]
async fn an_operator_looks_after_jobs() {
    let app = quiet().await;
    let bury = async || {
        app.sql(
            "INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, created_at, finished_at, last_error) \
             SELECT 'ApplyPayment', '{\"invoice\":99999}', 'default', 0, 'dead', activated_at, 10, 10, activated_at, activated_at, 'out of luck' \
             FROM users WHERE email = 'bo@example.com'",
        )
        .await;
        app.count("SELECT MAX(id) FROM jobs").await
    };
    let id = bury().await;
    let list = app.nproxy(&["task", "job_list", "json:true"]).await;
    assert_eq!(json(&list)[0]["error"], "out of luck", "{}", list.said());
    assert!(app.nproxy(&["task", "job_list", "state:queued"]).await.out.contains("no such jobs"));
    assert_eq!(app.nproxy(&["task", "job_list", "state:lost"]).await.code, Some(1));

    let retried = app.nproxy(&["task", "job_retry", &format!("job:{id}")]).await;
    assert_eq!(retried.code, Some(0), "{}", retried.said());
    assert_eq!(app.text("SELECT state FROM jobs").await, "queued");
    assert_eq!(app.nproxy(&["task", "job_retry", &format!("job:{id}")]).await.code, Some(1), "it is not dead now");
    let given_up = app.nproxy(&["task", "job_discard", &format!("job:{id}"), "reason:nobody wants it"]).await;
    assert_eq!(given_up.code, Some(0), "{}", given_up.said());
    assert_eq!(app.nproxy(&["task", "job_discard", &format!("job:{}", id + 1), "reason:x"]).await.code, Some(1));
    let trace = nproxy::models::activities::about(&app.ctx.db, "job", id).await.unwrap();
    let kinds: Vec<_> = trace.iter().map(|row| row.activity_type.as_str()).collect();
    assert_eq!(kinds, ["discard_job", "retry_job"]);
    eventually("nothing left to run", || async {
        (app.count("SELECT COUNT(*) FROM jobs WHERE state = 'queued'").await == 0).then_some(())
    })
    .await;
    app.finish().await;
}

/// F51, F61: a key's secret, label and concurrency are changed on the console; the secret is never said.
#[tokio::test]
async fn a_key_is_changed_on_the_console() {
    let app = quiet().await;
    let mut command = app.command();
    let rotate = ["task", "key_rotate", "key:sandbox-k1", "secret_env:NEW", "reason:leaked"];
    let rotated = Finished::of(command.env("NEW", super::SECRET).args(rotate)).await;
    assert_eq!(rotated.code, Some(0), "{}", rotated.said());
    assert!(rotated.out.contains("…0001") && !rotated.said().contains("canary"), "{}", rotated.said());

    let edited = app
        .nproxy(&["task", "key_edit", "key:sandbox-k1", "label:main", "concurrency:2", "proxy:none", "json:true"])
        .await;
    let key = json(&edited);
    assert_eq!((&key["label"], &key["max_concurrency"]), (&"main".into(), &2.into()), "{}", edited.said());
    for wrong in [&["label:sandbox-k2"][..], &["concurrency:0"][..], &["proxy:nowhere"][..], &[][..]] {
        let end = app.nproxy(&[&["task", "key_edit", "key:main"], wrong].concat()).await;
        assert_eq!(end.code, Some(1), "{wrong:?}: {}", end.said());
    }
    app.finish().await;
}
