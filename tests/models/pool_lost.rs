//! Who stood still for longer than a lease lasts, or died: what is still theirs to do, and what is not.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use nproxy::models::{
    attempts,
    provider_keys::{self, Lease, STOOD_STILL, Wish},
    runs,
};
use sandbox::{Proxy, ProxyFault, ProxyKind, ProxyOptions};

use super::proxy_health::add_key_behind;
use crate::support::{Setup, TestApp, eventually};

/// A key for the first place of a run, as somebody asks who does not know who was there before.
const fn wish_for(run_id: i64) -> Wish<'static> {
    Wish {
        provider: "gemini",
        wire_model: "gemini-nano-banana-2.1",
        run_id,
        position: 1,
        has_waited: false,
        alone: None,
    }
}

/// Invariant 8: a process stood still for so long that its lease ran out, and somebody else has the key now. When it moves
/// again it does not get its share back beside the other's.
#[tokio::test]
async fn a_lease_that_ran_out_stays_lost() {
    let app =
        TestApp::with(Setup { keys: vec!["sandbox-k1"], jobs: false, max_concurrency: 1, ..Setup::default() }).await;
    let ada = app.rich("ada").await;
    let mut leases = vec![];
    for _ in 0..2 {
        let run_id = app.wish(&ada, "a boat", 1).await;
        let wish = wish_for(run_id);
        let Lease::Granted(leased) = provider_keys::lease(&app.ctx, wish).await.unwrap() else { panic!("free") };
        if leases.is_empty() {
            assert!(provider_keys::renew(&app.ctx.db, &leased).await.unwrap());
            app.set_time("key_leases", "expires_at", Utc::now() - TimeDelta::seconds(1), "id > 0").await;
        }
        leases.push(leased);
    }
    assert!(!provider_keys::renew(&app.ctx.db, &leases[0]).await.unwrap(), "two calls on a key that carries one");
    assert!(provider_keys::renew(&app.ctx.db, &leases[1]).await.unwrap());
    app.abandon().await;
}

/// Invariant 14: a process stood still while it talked to the key's proxy, and lost the place. It does not call the key
/// directly then, because somebody else may be calling for the same picture.
#[tokio::test]
async fn who_lost_the_place_begins_no_call() {
    let app = TestApp::with(Setup { keys: vec![], ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let hangs = ProxyOptions { kind: ProxyKind::Socks5, auth: None, fault: Some(ProxyFault::Hang) };
    let proxy = Proxy::start(hangs).await.unwrap();
    add_key_behind(&app, &proxy).await;
    app.add_key("sandbox-k2", 4).await;
    let ada = app.rich("ada").await;
    app.wish(&ada, "a boat", 1).await;
    eventually("the proxy to be asked", || async { (proxy.connections() > 0).then_some(()) }).await;
    app.sql("DELETE FROM key_leases").await;
    drop(proxy);
    app.runs_over().await;
    assert_eq!(app.calls().await, ["k1 proxy proxy_fault", "k2 direct delivered"]);
    app.finish().await;
}

/// Invariant 14: a process stood still in the middle of a call, another one has taken the place. The late picture is thrown
/// away, and the run goes on with whoever has it.
#[tokio::test]
async fn a_picture_that_comes_too_late_ends_nothing() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1", "sandbox-k2"], ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.latency(Duration::from_millis(800));
    let ada = app.rich("ada").await;
    app.wish(&ada, "a boat", 1).await;
    assert!(gemini.wait_for_calls(1, Duration::from_secs(30)).await);
    // The lease of somebody else, as it looks to the first.
    app.sql("UPDATE key_leases SET id = id + 1000").await;
    eventually("the late picture", || async { gemini.calls()[0].finished_at }).await;
    eventually("it to be thrown away", || async { app.stored().is_empty().then_some(()) }).await;
    app.sql("DELETE FROM key_leases").await;
    app.runs_over().await;
    // The vendor made both, and takes its price for both.
    assert_eq!(app.calls().await, ["k1 direct delivered", "k2 direct delivered"]);
    assert_eq!(app.pictures().await, 1);
    app.finish().await;
}

/// Invariant 14: who waits for a place that another process works on, and finds it taken care of, does not have it drawn
/// again while the rest of the run goes on.
#[tokio::test]
async fn a_place_that_is_taken_care_of_is_left_alone() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let gemini = app.sandbox.gemini().clone();
    gemini.sketch(true);
    gemini.latency(Duration::from_millis(2_500));
    let ada = app.rich("ada").await;
    let run_id = app.wish(&ada, "two boats", 2).await;
    let wish = wish_for(run_id);
    assert!(matches!(provider_keys::lease(&app.ctx, wish).await.unwrap(), Lease::Granted(_)));
    app.work();
    assert!(gemini.wait_for_calls(1, Duration::from_secs(30)).await);
    app.sql("UPDATE outputs SET state = 'failed', failure = 'refused_prompt' WHERE position = 1").await;
    app.sql("DELETE FROM key_leases WHERE position = 1").await;
    app.runs_over().await;
    assert_eq!(app.calls().await, ["k2 direct delivered"]);
    assert_eq!(gemini.calls().len(), 1);
    app.finish().await;
}

/// Invariant 8: the process died in the middle of a call and nobody took over before the time was up. When the run is ended
/// its call is accounted for, and its key is free.
#[tokio::test]
async fn a_run_that_is_over_holds_nothing() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.rich("ada").await;
    let run_id = app.wish(&ada, "a boat", 1).await;
    let wish = wish_for(run_id);
    let Lease::Granted(leased) = provider_keys::lease(&app.ctx, wish).await.unwrap() else { panic!("free") };
    attempts::open(&app.ctx.db, &leased, attempts::Via::Direct).await.unwrap();
    app.set_time("runs", "deadline_at", Utc::now() - TimeDelta::seconds(60), "id > 0").await;
    app.task("stuck_run_recovery", &[]).await.unwrap();
    assert_eq!(app.calls().await, ["k1 direct unknown"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts WHERE maybe_billed").await, 1);
    app.finish().await;
}

/// X4, invariant 8: who takes a place over closes the call of who held it in the same step. So somebody who stood still
/// meanwhile cannot say any more that it delivered, however soon he moves again.
#[tokio::test]
async fn a_place_is_taken_over_with_its_call() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.rich("ada").await;
    let run_id = app.wish(&ada, "a boat", 1).await;
    let first = Wish { alone: Some(Instant::now()), ..wish_for(run_id) };
    let Lease::Granted(_) = provider_keys::lease(&app.ctx, first).await.unwrap() else { panic!("free") };
    assert_eq!(app.calls().await, ["k1 direct open"], "the call is announced along with the lease");
    app.set_time("key_leases", "expires_at", Utc::now() - TimeDelta::seconds(1), "id > 0").await;
    let next = Wish { alone: None, ..first };
    let Lease::Granted(leased) = provider_keys::lease(&app.ctx, next).await.unwrap() else { panic!("free") };
    assert_eq!(leased.key.label, "sandbox-k2", "a key is asked once");
    assert_eq!(app.texts("SELECT outcome FROM attempts").await, ["unknown"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts WHERE maybe_billed").await, 1);
    app.set_time("runs", "deadline_at", Utc::now() - TimeDelta::seconds(60), "id > 0").await;
    app.task("stuck_run_recovery", &[]).await.unwrap();
    app.finish().await;
}

/// Invariant 8: what somebody knew of a place before he stood still gives him no key for it, and neither does a place that
/// has its end.
#[tokio::test]
async fn a_key_is_for_a_place_that_waits() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.rich("ada").await;
    let run_id = app.wish(&ada, "a boat", 1).await;
    let asleep = Wish { alone: Instant::now().checked_sub(STOOD_STILL), ..wish_for(run_id) };
    let answer = provider_keys::lease(&app.ctx, asleep).await.unwrap();
    assert!(matches!(answer, Lease::Wait { until: None }), "{answer:?}");
    let run = runs::by_id(&app.ctx.db, run_id).await.unwrap().unwrap();
    assert!(run.cancel(&app.ctx).await.unwrap());
    let late = provider_keys::lease(&app.ctx, wish_for(run_id)).await.unwrap();
    assert!(matches!(late, Lease::Wait { until: None }), "{late:?}");
    assert_eq!(app.count("SELECT COUNT(*) FROM key_leases").await, 0);
    assert_eq!(app.calls().await, [""; 0]);
    app.finish().await;
}
