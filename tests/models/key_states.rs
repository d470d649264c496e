//! What every way of failing does to the key it happened on, and how a key comes back.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use nproxy::models::activities;
use sandbox::Fault;
use serde_json::json;

use super::key_pool::shows_nothing_of_the_provider;
use crate::support::{Person, Setup, TestApp};

/// F33, F34, F39, F41: every fault that the stand-in knows, on the first of three keys — the person gets the picture or
/// the refusal that is theirs, pays for what came, and the key ends where it belongs.
#[tokio::test]
async fn every_fault_has_its_consequence() {
    let app = TestApp::with(Setup { pool: json!({ "call_secs": 20 }), ..Setup::default() }).await;
    every(&app, |fault| !is_slow(fault)).await;
    app.finish().await;
}

/// F33: the same for faults that keep the line busy until our patience ends.
#[tokio::test]
async fn every_slow_fault_has_its_consequence() {
    let app = TestApp::with(Setup { pool: json!({ "call_secs": 2 }), ..Setup::default() }).await;
    every(&app, is_slow).await;
    app.finish().await;
}

async fn every(app: &TestApp, wanted: impl Fn(&Fault) -> bool) {
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    let bo = app.sign_in("bo").await;
    // Of nobody else: a month of theirs may end meanwhile.
    let owner = app.user("bo").await.id;
    let sum = format!("SELECT CAST(SUM(posted) AS BIGINT) FROM allowances WHERE user_id = {owner}");
    let mut wrong = Vec::new();
    for fault in Fault::examples().into_iter().filter(wanted) {
        let expected = expected(&fault);
        rest_all(app).await;
        gemini.heal_all();
        gemini.fault("sandbox-k1", fault.clone());
        let posted = app.count(&sum).await;

        let page = bo.make("a boat", &[]).await;

        shows_nothing_of_the_provider(app, &page).await;
        let paid = posted - app.count(&sum).await;
        let key = app.key("sandbox-k1").await;
        let is_there = page.texts(".cell img").len() == 1;
        let found = (app.calls().await, key.state.clone(), key.consecutive_failures, is_there, paid);
        let (outcome, state, strikes, ending) = expected;
        let mut calls = vec![format!("k1 direct {outcome}")];
        if ending == Ending::NextKey {
            calls.push("k2 direct delivered".into());
        }
        let comes = !matches!(ending, Ending::Told(_));
        let right = (calls, state.to_owned(), strikes, comes, i64::from(comes));
        if found != right {
            wrong.push(format!("{fault:?}:\n  found {found:?}\n  right {right:?}"));
        }
        if let Ending::Told(words) = ending
            && !page.text().contains(words)
        {
            wrong.push(format!("{fault:?}: {words:?} is missing in {}", page.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts WHERE detail LIKE '%sandbox-k%'").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM provider_keys WHERE last_error LIKE '%sandbox-k%'").await, 0);
}

#[derive(Debug, PartialEq, Eq)]
enum Ending {
    /// The first key drew the picture.
    Drawn,
    /// The second key drew it.
    NextKey,
    /// No picture, and these words.
    Told(&'static str),
}

/// `(outcome, state, strikes, ending)` for the key on which it happens.
fn expected(fault: &Fault) -> (&'static str, &'static str, i64, Ending) {
    use Ending::{Drawn, NextKey, Told};
    match fault {
        Fault::WrongMime | Fault::Thoughts => ("delivered", "active", 0, Drawn),
        Fault::Status { .. } | Fault::ArrayError { .. } | Fault::Html { .. } | Fault::WrongCountry => {
            ("transient", "cooldown", 1, NextKey)
        }
        Fault::Hang
        | Fault::Reset
        | Fault::Latency { .. }
        | Fault::Garbage
        | Fault::Truncated
        | Fault::BadBase64
        | Fault::NotAPicture
        | Fault::EndlessBody
        | Fault::Huge
        | Fault::Drip
        | Fault::Bomb => ("ambiguous", "cooldown", 1, NextKey),
        Fault::RateLimited { .. } | Fault::RetryAfterHeader { .. } | Fault::DailyQuota => {
            ("rate_limited", "cooldown", 0, NextKey)
        }
        Fault::NoFunds | Fault::PaymentRequired | Fault::NoQuota | Fault::SpendingCap | Fault::FreeTier => {
            ("out_of_funds", "out_of_funds", 0, NextKey)
        }
        Fault::Unauthenticated | Fault::KeyInvalid | Fault::Leaked => ("credential", "manual_review", 0, NextKey),
        Fault::ModelGone => ("model_access", "active", 0, NextKey),
        Fault::BadRequest => ("refused", "active", 0, Told("cannot make this picture as asked. You were not charged.")),
        Fault::RefusedPrompt => ("refused", "active", 0, Told("declined this prompt. You were not charged.")),
        Fault::RefusedOutput { .. } => ("refused", "active", 0, Told("safety filter. You were not charged.")),
        Fault::Empty => ("empty", "active", 0, NextKey),
    }
}

fn is_slow(fault: &Fault) -> bool {
    matches!(fault, Fault::Hang | Fault::Latency { .. } | Fault::EndlessBody | Fault::Drip | Fault::Huge)
}

/// F37: a key that failed rests for five minutes or a little more — not chosen before the end, chosen after it, and the
/// scheduled task makes the books follow and leaves a trace.
#[tokio::test]
async fn a_rest_ends_by_the_clock() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1", "sandbox-k2"], ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    let bo = app.sign_in("bo").await;
    fail_once(&app, &bo, Fault::Status { code: 500 }).await;
    let key = app.key("sandbox-k1").await;
    let rest = key.cooldown_until.unwrap() - key.updated_at;
    assert!((TimeDelta::seconds(299)..=TimeDelta::seconds(331)).contains(&rest), "{rest}");

    rest_until(&app, TimeDelta::seconds(30)).await;
    app.task("key_cooldown_recovery", &[]).await.unwrap();
    assert_eq!(app.key("sandbox-k1").await.state, "cooldown", "the task does not cut a rest short");
    bo.make("a boat", &[]).await;
    bo.make("a boat", &[]).await;
    let early = gemini.calls().iter().filter(|call| call.key == "sandbox-k1").count();
    assert_eq!(early, 1, "not chosen while it rests: {:?}", app.pool().await);

    rest_until(&app, TimeDelta::seconds(-1)).await;
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k1 direct delivered"], "chosen when the rest is over, before any task has run");
    assert_eq!(app.pool().await, ["k1 active", "k2 active"], "and a picture proves it");

    fail_once(&app, &bo, Fault::Status { code: 500 }).await;
    rest_until(&app, TimeDelta::seconds(-1)).await;
    let before = activities::about(&app.ctx.db, "provider_key", key.id).await.unwrap().len();
    app.task("key_cooldown_recovery", &[]).await.unwrap();
    assert_eq!(app.key("sandbox-k1").await.state, "active");
    let after = activities::about(&app.ctx.db, "provider_key", key.id).await.unwrap();
    assert_eq!(after.len(), before + 1);
    assert_eq!(after[0].detail, json!({ "from": "cooldown", "to": "active", "reason": "rested" }));
    app.finish().await;
}

/// F38: ten failures in a row, with rests between, and the key still comes back; the eleventh brings it before a person.
#[tokio::test]
async fn the_eleventh_failure_is_for_a_person() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1", "sandbox-k2"], ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    for strike in 1..=10 {
        fail_once(&app, &bo, Fault::Status { code: 503 }).await;
        assert_eq!(app.pool().await[0], format!("k1 cooldown {strike}"));
        rest_until(&app, TimeDelta::seconds(-1)).await;
        if strike == 5 {
            app.task("key_cooldown_recovery", &[]).await.unwrap();
            assert_eq!(app.pool().await[0], "k1 active 5", "a rest does not wipe the slate");
        }
    }
    fail_once(&app, &bo, Fault::Status { code: 503 }).await;
    assert_eq!(app.pool().await, ["k1 manual_review 11", "k2 active"]);

    app.task("key_cooldown_recovery", &[]).await.unwrap();
    app.sql("UPDATE provider_keys SET turn = 0 WHERE label = 'sandbox-k1'").await;
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k2 direct delivered"], "left alone until an admin acts");
    app.finish().await;
}

/// F38: one picture in between and the count starts anew.
#[tokio::test]
async fn a_success_wipes_the_slate() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1", "sandbox-k2"], ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    for _ in 0..3 {
        fail_once(&app, &bo, Fault::Status { code: 503 }).await;
        rest_until(&app, TimeDelta::seconds(-1)).await;
    }
    assert_eq!(app.pool().await[0], "k1 cooldown 3");
    app.sql("UPDATE provider_keys SET turn = 0 WHERE label = 'sandbox-k1'").await;
    bo.make("a boat", &[]).await;
    assert_eq!(app.pool().await[0], "k1 active");
    app.finish().await;
}

/// F41: asked to wait ten minutes, the key rests at least that long, and it is not held against it.
#[tokio::test]
async fn the_provider_may_say_how_long() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    fail_once(&app, &bo, Fault::RetryAfterHeader { seconds: 600 }).await;

    let key = app.key("sandbox-k1").await;
    assert_eq!((key.state.as_str(), key.consecutive_failures), ("cooldown", 0));
    let rest = key.cooldown_until.unwrap() - key.updated_at;
    assert!(rest >= TimeDelta::seconds(599), "{rest}");
    app.finish().await;
}

/// F40, invariant 7: a key that is out stays out — no task of the timetable brings it back, though its account is full again
/// and the vendor takes it, nor does a restart.
#[tokio::test]
async fn what_is_out_stays_out() {
    const POOL: [&str; 3] = ["k1 out_of_funds", "k2 manual_review", "k3 active"];
    let mut app = TestApp::with(Setup { balances: "one_api", ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.fault("sandbox-k1", Fault::NoFunds);
    gemini.fault("sandbox-k2", Fault::Unauthenticated);
    let bo = app.sign_in("bo").await;
    bo.make("a boat", &[]).await;
    assert_eq!(app.pool().await, POOL);

    gemini.heal_all();
    for key in ["sandbox-k1", "sandbox-k2"] {
        gemini.balance(key, 50_000_000);
    }
    run_the_timetable(&app).await;
    for key in ["sandbox-k1", "sandbox-k2"] {
        assert_eq!(app.key(key).await.balance_micros, Some(50_000_000), "{key} was looked at");
    }
    app.sql("UPDATE provider_keys SET turn = 0").await;
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k3 direct delivered"]);
    assert_eq!(app.pool().await, POOL);

    app.runs_left().await;
    app.rest().await;
    app.reboot().await;
    app.work();
    run_the_timetable(&app).await;
    app.sql("UPDATE provider_keys SET turn = 0").await;
    let bo = app.user("bo").await;
    app.wish(&bo, "a boat", 1).await;
    app.runs_over().await;
    app.runs_left().await;
    assert_eq!(app.calls().await, ["k3 direct delivered"]);
    assert_eq!(app.pool().await, POOL);
    app.finish().await;
}

/// Everything that runs by itself, once.
async fn run_the_timetable(app: &TestApp) {
    let tasks = app.timetable();
    for needed in ["key_cooldown_recovery", "provider_balance_refresh", "stuck_run_recovery"] {
        assert!(tasks.iter().any(|task| task == needed), "{needed} is not in {tasks:?}");
    }
    for task in tasks {
        app.task(&task, &[]).await.unwrap_or_else(|error| panic!("{task}: {error}"));
    }
}

/// F39, F40: what the vendor tells of an account counts. A key whose account is empty is out before a picture fails on it;
/// a top-up is seen and brings nothing back; an admin does, and the log says who.
#[tokio::test]
async fn an_account_that_the_vendor_calls_empty() {
    let keys = vec!["sandbox-k1", "sandbox-k2"];
    let app = TestApp::with(Setup { keys, balances: "one_api", ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.balance("sandbox-k1", 0);
    app.task("provider_balance_refresh", &[]).await.unwrap();
    let told = app.key("sandbox-k1").await;
    assert_eq!((told.balance_micros, told.balance_source.as_deref()), (Some(0), Some("vendor")));
    assert_eq!(app.pool().await, ["k1 out_of_funds", "k2 active"]);
    let bo = app.sign_in("bo").await;
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k2 direct delivered"]);

    gemini.balance("sandbox-k1", 50_000_000);
    app.task("provider_balance_refresh", &[]).await.unwrap();
    assert_eq!(app.key("sandbox-k1").await.balance_micros, Some(50_000_000));
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k2 direct delivered"]);
    assert_eq!(app.pool().await, ["k1 out_of_funds", "k2 active"]);

    let (cy, me) = (app.sign_in_staff("cy").await, app.user("cy").await);
    let form = cy.get(&format!("/admin/keys/{}/activation", told.id)).await.html().form("#action");
    let back = cy.submit(&form.fill("reason", "the account is paid up")).await;
    assert_eq!(back.status, 303, "{}", back.html().text());
    let moves = activities::about(&app.ctx.db, "provider_key", told.id).await.unwrap();
    assert_eq!(
        (moves[0].actor(), moves[0].activity_type.as_str(), &moves[0].detail),
        (
            format!("admin:{}", me.id),
            "change_provider_key_state",
            &json!({ "from": "out_of_funds", "to": "active", "reason": "the account is paid up" })
        )
    );
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k1 direct delivered"]);
    assert_eq!(app.pool().await, ["k1 active", "k2 active"]);
    app.finish().await;
}

/// F38: four calls of one key that fail together are one failure of the key, not four.
#[tokio::test]
async fn a_burst_of_failures_is_one_strike() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1"], ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    // Late enough that all four are under way before the first one is known to have failed.
    gemini.latency(Duration::from_millis(1500));
    gemini.fault("sandbox-k1", Fault::NotAPicture);
    let bo = app.sign_in("bo").await;

    bo.make("four boats", &[("batch_size", "4")]).await;

    assert_eq!(gemini.max_in_flight("sandbox-k1"), 4);
    let key = app.key("sandbox-k1").await;
    assert_eq!((key.state.as_str(), key.consecutive_failures, key.failures), ("cooldown", 1, 4));
    app.finish().await;
}

/// A key back from its rest shows with one call that it works before it gets a second one.
#[tokio::test]
async fn a_rested_key_proves_itself_alone() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1"], ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.latency(Duration::from_millis(500));
    app.sql("UPDATE provider_keys SET state = 'cooldown', cooldown_until = created_at").await;
    let bo = app.sign_in("bo").await;

    let page = bo.make("four boats", &[("batch_size", "4")]).await;

    assert_eq!(page.texts(".cell img").len(), 4);
    let calls = gemini.calls();
    for alone in [0, 1] {
        let over = calls[alone].finished_at.unwrap();
        assert!(calls[alone + 1..].iter().all(|call| call.started_at >= over), "call {alone} has no company");
    }
    assert_eq!(gemini.max_in_flight("sandbox-k1"), 2, "then two together");
    // Late enough that all four are under way before the first one is back.
    gemini.latency(Duration::from_millis(1500));
    bo.make("four boats", &[("batch_size", "4")]).await;
    assert_eq!(gemini.max_in_flight("sandbox-k1"), 4, "and when they came, as many as it may");
    app.finish().await;
}

/// The first key's next call fails this way; another key, if there is one, draws the picture.
pub async fn fail_once(app: &TestApp, person: &Person, fault: Fault) {
    app.sql("UPDATE provider_keys SET turn = 0 WHERE label = 'sandbox-k1'").await;
    app.sandbox.gemini().fault_times("sandbox-k1", fault, 1);
    person.make("a boat", &[]).await;
    app.runs_left().await;
    assert!(app.calls().await[0].starts_with("k1 direct "), "the first key was asked first");
}

/// Moves the end of the first key's rest to so long from now.
pub async fn rest_until(app: &TestApp, from_now: TimeDelta) {
    let condition = "label = 'sandbox-k1' AND state = 'cooldown'";
    app.set_time("provider_keys", "cooldown_until", Utc::now() + from_now, condition).await;
}

/// Every key fit and in its first turn again, as an admin could make it.
async fn rest_all(app: &TestApp) {
    app.sql(
        "UPDATE provider_keys SET state = 'active', cooldown_until = NULL, consecutive_failures = 0, turn = 0, \
         epoch = epoch + 1, ramp = NULL",
    )
    .await;
    app.sql("DELETE FROM key_exclusions").await;
}
