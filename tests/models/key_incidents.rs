//! When many keys fail at once, nobody knows yet whose fault it is: the pool waits and sees.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use nproxy::models::alerts;
use sandbox::{Fault, gemini::EVERY_KEY};

use super::key_states::{fail_once, rest_until};
use crate::support::{PATIENCE, Person, Setup, TestApp, eventually};

const FOUR: [&str; 4] = ["sandbox-k1", "sandbox-k2", "sandbox-k3", "sandbox-k4"];

/// It must show: the whole provider is down — no key is sent to a person, not even those that were one failure away from
/// it; one probe a second goes out; people wait, and have their picture within two seconds of the end.
/// `OUTAGE_SECS=120` plays the two minutes in full.
#[tokio::test]
async fn an_outage_condemns_no_key() {
    let seconds: u64 = std::env::var("OUTAGE_SECS").ok().and_then(|it| it.parse().ok()).unwrap_or(5);
    let app = TestApp::with(Setup { keys: FOUR.to_vec(), ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    app.sql("UPDATE provider_keys SET consecutive_failures = 10").await;
    gemini.fault(EVERY_KEY, Fault::Status { code: 503 });
    let bo = app.sign_in("bo").await;
    // The first one finds out, and waits like everybody after it.
    bo.ask("a boat", &[]).await;
    eventually("the incident", || async { (app.count("SELECT COUNT(*) FROM incidents").await == 1).then_some(()) })
        .await;
    let began = gemini.calls().len();
    join_all((0..7).map(|_| bo.ask("a boat", &[]))).await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;

    let probes = gemini.calls().len() - began;
    assert!(probes as u64 <= seconds + 2, "{probes} calls in {seconds} s");
    assert!(app.pool().await.iter().all(|key| key.ends_with("active 10")), "{:?}", app.pool().await);

    let healed = Instant::now();
    gemini.heal_all();
    eventually("the first picture", || async {
        (app.count("SELECT COUNT(*) FROM outputs WHERE state = 'done'").await > 0).then_some(())
    })
    .await;
    assert!(healed.elapsed() < Duration::from_secs(2), "{:?}", healed.elapsed());
    app.idle().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM outputs WHERE state = 'done'").await, 8, "who waited has a picture");
    assert_eq!(app.count("SELECT COUNT(*) FROM provider_keys WHERE state <> 'active'").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM incidents WHERE closed_at IS NOT NULL").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM provider_keys WHERE incident_id IS NOT NULL").await, 0);
    let told = app.texts("SELECT activity_type FROM activities WHERE resource_type = 'incident' ORDER BY id").await;
    assert_eq!(told, ["open_incident", "close_incident"]);
    app.finish().await;
}

/// Two of four keys break alike while the others work: the very next picture shows that it was the keys, and they rest.
#[tokio::test]
async fn broken_keys_are_no_outage() {
    let app = TestApp::with(Setup { keys: FOUR.to_vec(), ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.fault("sandbox-k1", Fault::Status { code: 500 });
    gemini.fault("sandbox-k2", Fault::Status { code: 500 });
    app.sql("UPDATE provider_keys SET consecutive_failures = 10 WHERE label = 'sandbox-k2'").await;
    let bo = app.sign_in("bo").await;

    bo.make("a boat", &[]).await;
    app.runs_left().await;
    assert_eq!(app.calls().await, ["k1 direct transient", "k2 direct transient", "k3 direct delivered"]);
    assert_eq!(app.pool().await, ["k1 cooldown 1", "k2 manual_review 11", "k3 active", "k4 active"]);
    for _ in 0..3 {
        bo.make("a boat", &[]).await;
    }
    let broken = gemini.calls().iter().filter(|call| ["sandbox-k1", "sandbox-k2"].contains(&call.key.as_str())).count();
    assert_eq!(broken, 2, "one call each");
    app.finish().await;
}

/// A lone failure out of the blue, of a key that was one failure away: it rests until it is known whether the others fail
/// as well, and is sent to a person by the first picture of another key, or when the moment has passed.
#[tokio::test]
async fn the_last_strike_waits_for_a_moment() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1", "sandbox-k2"], ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    let nearly = "UPDATE provider_keys SET consecutive_failures = 10, state = 'active', cooldown_until = NULL, \
                  succeeded_at = NULL WHERE label = 'sandbox-k1'";
    app.sql(nearly).await;
    fail_once(&app, &bo, Fault::Status { code: 503 }).await;
    assert_eq!(app.pool().await, ["k1 manual_review 11", "k2 active"], "the picture of the second key decided it");

    app.sql(nearly).await;
    app.sql("UPDATE provider_keys SET succeeded_at = NULL").await;
    app.sandbox.gemini().fault("sandbox-k2", Fault::RefusedPrompt);
    app.sql("UPDATE provider_keys SET turn = 0 WHERE label = 'sandbox-k1'").await;
    app.sandbox.gemini().fault_times("sandbox-k1", Fault::Status { code: 503 }, 1);
    bo.make("a boat", &[]).await;
    assert_eq!(app.pool().await, ["k1 cooldown 11", "k2 active"], "nothing has worked, so nothing is known");
    rest_until(&app, TimeDelta::seconds(-1)).await;
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k2 direct refused"], "and meanwhile it is left alone");

    app.task("key_cooldown_recovery", &[]).await.unwrap();
    assert_eq!(app.pool().await[0], "k1 cooldown 11", "the moment has not passed");
    app.set_time("provider_keys", "struck_at", Utc::now() - TimeDelta::seconds(11), "label = 'sandbox-k1'").await;
    app.task("key_cooldown_recovery", &[]).await.unwrap();
    assert_eq!(app.pool().await[0], "k1 manual_review 11");
    app.finish().await;
}

/// F41, C22: a key that may not use this model is not asked for it again for half a day, and nothing else happens to it.
#[tokio::test]
async fn a_key_is_spared_the_model_it_may_not_use() {
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.fault("sandbox-k1", Fault::ModelGone);
    let bo = app.sign_in("bo").await;
    for _ in 0..4 {
        bo.make("a boat", &[]).await;
    }
    app.runs_left().await;
    let asked = || gemini.calls().iter().filter(|call| call.key == "sandbox-k1").count();
    assert_eq!(asked(), 1);
    assert_eq!(app.pool().await, ["k1 active", "k2 active", "k3 active"]);
    let rest = app.time("SELECT until FROM key_exclusions").await - Utc::now();
    assert!((TimeDelta::minutes(719)..=TimeDelta::hours(12)).contains(&rest), "{rest}");
    alerts::look(&app.ctx).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM alerts").await, 0, "others serve it");
    let page = models(&app.sign_in_staff("cy").await).await;
    assert!(page.contains("gemini-nano-banana-2.1 may not be used by 1 of the keys"), "{page}");

    gemini.heal_all();
    app.set_time("key_exclusions", "until", Utc::now(), "id > 0").await;
    for _ in 0..3 {
        bo.make("a boat", &[]).await;
    }
    assert_eq!(asked(), 2, "tried again when the time is over");
    app.finish().await;
}

/// Every key may not use the model: the person is told at once, and no key is the worse for it.
#[tokio::test]
async fn a_model_that_nobody_may_use_is_told_at_once() {
    let app = TestApp::start().await;
    app.sandbox.gemini().fault(EVERY_KEY, Fault::ModelGone);
    let ada = app.sign_in("ada").await;
    for _ in 0..2 {
        let page = ada.make("a boat", &[]).await;
        assert!(page.text().contains("Temporarily unavailable, nothing was charged."), "{}", page.text());
    }
    assert_eq!(app.sandbox.gemini().calls().len(), 3, "the second wish asked nobody");
    assert_eq!(app.pool().await, ["k1 active", "k2 active", "k3 active"]);
    app.finish().await;
}

/// C22: while every key looks well and nobody gets a picture of a model, the health page says so and admins have one alert;
/// it ends when the model may be asked for again, and comes back if that was in vain.
#[tokio::test]
async fn a_retired_model_is_told_of() {
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    let (bo, cy) = (app.sign_in("bo").await, app.sign_in_staff("cy").await);
    assert!(models(&cy).await.contains("1 on offer, refused to no key"));

    gemini.retire("gemini-nano-banana-2.1", true);
    for heard in 1..=2 {
        for _ in 0..2 {
            bo.make("a boat", &[]).await;
            alerts::look(&app.ctx).await.unwrap();
            assert_eq!(open_and_all(&app).await, (1, heard));
        }
        let page = models(&cy).await;
        assert!(page.contains("Down") && page.contains("every key was refused gemini-nano-banana-2.1"), "{page}");
        assert!(page.contains("nproxy doctor"), "{page}");
        app.set_time("key_exclusions", "until", Utc::now() - TimeDelta::seconds(1), "id > 0").await;
        alerts::look(&app.ctx).await.unwrap();
        assert_eq!(open_and_all(&app).await, (0, heard), "nobody knows any more");
    }
    assert_eq!(gemini.calls().len(), 6, "each key was asked once at a time");

    bo.make("a boat", &[]).await;
    assert_eq!(open_and_all(&app).await, (1, 3));
    gemini.retire("gemini-nano-banana-2.1", false);
    app.add_key("sandbox-k4", 4).await;
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k4 direct delivered"]);
    assert_eq!(open_and_all(&app).await, (0, 3), "a picture has come");
    app.finish().await;
}

/// A refusal while another call of the same key is under way, which brings a picture: the key may use the model after all.
#[tokio::test]
async fn a_picture_says_more_than_a_refusal() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1"], ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    // Late enough that the second call is refused meanwhile.
    gemini.latency(Duration::from_secs(4));
    let bo = app.sign_in("bo").await;
    let first = bo.ask("a boat", &[]).await;
    assert!(gemini.wait_for_calls(1, PATIENCE).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    gemini.fault_times("sandbox-k1", Fault::ModelGone, 1);
    let page = bo.make("a boat", &[]).await;
    assert!(page.text().contains("Temporarily unavailable"), "{}", page.text());
    bo.settled(&first).await;
    app.runs_left().await;
    assert_eq!(open_and_all(&app).await, (0, 1));
    alerts::look(&app.ctx).await.unwrap();
    assert_eq!(open_and_all(&app).await, (0, 1));

    gemini.latency(Duration::ZERO);
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k1 direct delivered"]);
    app.finish().await;
}

/// The line of the health page that speaks of models.
async fn models(staff: &Person) -> String {
    let page = staff.get("/admin/health").await.html();
    page.texts("#parts li").into_iter().find(|line| line.contains("Models")).unwrap()
}

/// Alerts of models that nobody gets a picture of: those that are open, and all there ever were.
async fn open_and_all(app: &TestApp) -> (i64, i64) {
    let gone = "SELECT COUNT(*) FROM alerts WHERE kind = 'model_gone'";
    (app.count(&format!("{gone} AND closed_at IS NULL")).await, app.count(gone).await)
}
