//! Runs that nobody works on any more, and runs whose ground gives way.

use chrono::{TimeDelta, Utc};
use nproxy::models::{
    attempts::{self, Via},
    generations::{self, Ask, Submission},
    provider_keys::{Lease, Wish, lease},
    runs::recovery::{Recovered, recover_stuck},
};
use sandbox::{Fault, gemini::EVERY_KEY};
use serde_json::json;

use crate::support::{Setup, TestApp};

/// F44: a run that nobody finished in its time is ended — the person is told, and pays nothing.
#[tokio::test]
async fn a_run_past_its_time_is_ended() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("two boats", &[("batch_size", "2")]).await;

    deadline(&app, TimeDelta::seconds(-10)).await;
    assert_eq!(recover_stuck(&app.ctx).await.unwrap(), Recovered::default(), "its own worker comes first");
    deadline(&app, TimeDelta::seconds(-16)).await;
    app.task("stuck_run_recovery", &[]).await.unwrap();

    let page = ada.settled(&conversation).await;
    assert!(page.text().contains("No answer in time. You were not charged."), "{}", page.text());
    assert_eq!(app.text("SELECT state FROM runs").await, "failed");
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -2 / release 2");
    assert_eq!(recover_stuck(&app.ctx).await.unwrap(), Recovered::default(), "once");
    app.finish().await;
}

/// F44: what had arrived before the time was up is kept and paid, the rest is free.
#[tokio::test]
async fn at_the_deadline_what_is_there_counts() {
    let app = TestApp::with(Setup { pool: json!({ "run_secs": 3 }), ..Setup::default() }).await;
    app.sandbox.gemini().fault_times(EVERY_KEY, Fault::Hang, 1);
    let ada = app.sign_in("ada").await;

    let page = ada.make("two boats", &[("batch_size", "2")]).await;

    assert_eq!(page.texts(".cell img").len(), 1, "{}", page.text());
    assert!(page.text().contains("One picture did not come. You were not charged for it."), "{}", page.text());
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -2 / capture -1 / release 1");
    let blamed = "SELECT COUNT(*) FROM provider_keys WHERE state <> 'active' OR consecutive_failures > 0";
    assert_eq!(app.count(blamed).await, 0, "our clock cut the call off, so no key is to blame");
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts WHERE outcome = 'ambiguous'").await, 1);
    app.finish().await;
}

/// F44: a run whose job is lost is given one again, and never two.
#[tokio::test]
async fn a_run_without_a_job_gets_one() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    submit(&app).await;
    app.sql("DELETE FROM jobs").await;
    assert_eq!(recover_stuck(&app.ctx).await.unwrap(), Recovered::default(), "too young to be forgotten");

    app.set_time("runs", "created_at", Utc::now() - TimeDelta::seconds(61), "1 = 1").await;
    assert_eq!(recover_stuck(&app.ctx).await.unwrap(), Recovered { handed_on: 1, ..Recovered::default() });
    assert_eq!(recover_stuck(&app.ctx).await.unwrap(), Recovered::default(), "it has a job already");
    assert_eq!(app.count("SELECT COUNT(*) FROM jobs WHERE class = 'FulfilRun'").await, 1);
    app.finish().await;
}

/// F44: a worker died over a run that nobody goes on with — its key is taken back, its call is closed as perhaps billed, and
/// when its time has run out the person is not charged.
#[tokio::test]
async fn the_key_of_a_dead_worker_is_taken_back() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    submit(&app).await;
    let run = app.newest_run().await;
    let wish = Wish {
        provider: "gemini",
        wire_model: "gemini-nano-banana-2.1",
        run_id: run,
        position: 1,
        has_waited: false,
        alone: None,
    };
    let Lease::Granted(leased) = lease(&app.ctx, wish).await.unwrap() else { panic!("no key") };
    attempts::open(&app.ctx.db, &leased, Via::Direct).await.unwrap();
    assert_eq!(recover_stuck(&app.ctx).await.unwrap(), Recovered::default(), "its lease may still be alive");

    app.set_time("key_leases", "expires_at", Utc::now() - TimeDelta::seconds(1), "1 = 1").await;
    assert_eq!(recover_stuck(&app.ctx).await.unwrap(), Recovered { keys_freed: 1, ..Recovered::default() });
    assert_eq!(app.calls().await, ["k1 direct unknown"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts WHERE maybe_billed").await, 1);
    deadline(&app, TimeDelta::seconds(-60)).await;
    assert_eq!(recover_stuck(&app.ctx).await.unwrap(), Recovered { ended: 1, ..Recovered::default() });
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -1 / release 1");
    assert_eq!(app.pool().await, ["k1 active", "k2 active", "k3 active"]);
    app.finish().await;
}

/// F44: a run that resists keeps no other from being ended or handed on, and the task says that something is wrong.
#[tokio::test]
async fn a_run_that_resists_keeps_no_other() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    for name in ["ada", "eve", "bo"] {
        app.sign_in(name).await.ask("a boat", &[]).await;
    }
    let runs = app.texts("SELECT CAST(id AS TEXT) FROM runs ORDER BY id").await;
    let [adas, eves, bos] = runs.as_slice() else { panic!("{runs:?}") };
    // What ada's run has set aside is nobody's any more, so that it cannot be given back.
    let ada = app.user("ada").await.id;
    app.sql(&format!("UPDATE allowances SET posted = available WHERE user_id = {ada}")).await;
    for (run, seconds) in [(adas, 120), (eves, 60)] {
        let over = Utc::now() - TimeDelta::seconds(seconds);
        app.set_time("runs", "deadline_at", over, &format!("id = {run}")).await;
    }
    app.sql("DELETE FROM jobs").await;
    app.set_time("runs", "created_at", Utc::now() - TimeDelta::seconds(61), &format!("id = {bos}")).await;

    assert!(app.task("stuck_run_recovery", &[]).await.is_err());

    assert_eq!(app.texts("SELECT state FROM runs ORDER BY id").await, ["queued", "failed", "queued"]);
    assert_eq!(app.story("eve").await, "trial: grant 3 / hold -1 / release 1");
    let given = app.texts("SELECT args FROM jobs WHERE class = 'FulfilRun'").await;
    assert_eq!(given, [format!("{{\"run\":{bos}}}")]);
    app.abandon().await;
}

/// F31, F105: the picture was drawn but cannot be stored — that is our fault, the person is told so and pays nothing.
#[tokio::test]
async fn a_broken_store_is_not_the_persons_cost() {
    let app = TestApp::start().await;
    let files = app.files();
    std::fs::remove_dir_all(&files).unwrap();
    std::fs::write(&files, "no folder").unwrap();
    let ada = app.sign_in("ada").await;

    let page = ada.make("two boats", &[("batch_size", "2")]).await;

    assert!(page.text().contains("Something broke on our side. You were not charged."), "{}", page.text());
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -2 / release 2");
    assert_eq!(app.pool().await, ["k1 active", "k2 active", "k3 active"], "no key is to blame");
    assert_eq!(app.count("SELECT COUNT(*) FROM assets").await, 0);
    app.finish().await;
}

/// Invariant 3: twice the same form is one run and one charge.
#[tokio::test]
async fn the_same_form_twice_is_one_run() {
    let app = TestApp::start().await;
    let user = app.user("ada").await;
    let ask = Ask { prompt: "a boat".into(), client_token: "one".into(), ..Ask::default() };
    let twice =
        futures::future::join_all((0..8).map(|_| generations::submit(&app.ctx, &user, None, ask.clone()))).await;
    let accepted = twice.iter().filter(|it| matches!(it, Ok(Submission::Accepted { .. }))).count();
    let repeated = twice.iter().filter(|it| matches!(it, Ok(Submission::Repeated { .. }))).count();
    assert_eq!((accepted, repeated), (1, 7), "{twice:?}");
    let other = Ask { prompt: "another boat".into(), ..ask };
    assert!(matches!(generations::submit(&app.ctx, &user, None, other).await.unwrap(), Submission::TokenReused));
    crate::support::eventually("the run", || async {
        (app.text("SELECT state FROM runs").await == "succeeded").then_some(())
    })
    .await;
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -1 / capture -1");
    app.finish().await;
}

async fn submit(app: &TestApp) {
    let ask = Ask { prompt: "a boat".into(), client_token: "one".into(), ..Ask::default() };
    let submission = generations::submit(&app.ctx, &app.user("ada").await, None, ask).await.unwrap();
    assert!(matches!(submission, Submission::Accepted { .. }), "{submission:?}");
}

async fn deadline(app: &TestApp, from_now: TimeDelta) {
    app.set_time("runs", "deadline_at", Utc::now() + from_now, "1 = 1").await;
}
