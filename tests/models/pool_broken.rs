//! Three keys, one of them broken in every way there is, while people work.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use nproxy::models::users;
use sandbox::{Fault, gemini::EVERY_KEY};
use serde_json::json;

use crate::support::{Setup, TestApp};

const BROKEN: &str = "sandbox-k1";
const CAP: usize = 4;
const COOLDOWNS: usize = 2;

/// What becomes of a key that is broken like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It rests, and is probed once after each rest.
    Rests,
    /// An admin has to act.
    Out(&'static str),
    /// Nobody blames it: an answer without a picture is the request's fault as likely as the key's.
    Stays,
}

/// It must show: three keys, one broken — no error for anybody, whatever is wrong with it. Calls that still reach the broken
/// key are at most those under way when it broke and one more, and then one probe per rest.
#[tokio::test]
async fn one_of_three_keys_breaks() {
    let ways = [
        (Fault::Status { code: 500 }, Fate::Rests),
        (Fault::Status { code: 503 }, Fate::Rests),
        (Fault::RateLimited { retry_after_s: Some(240) }, Fate::Rests),
        (Fault::Unauthenticated, Fate::Out("manual_review")),
        (Fault::PaymentRequired, Fate::Out("out_of_funds")),
        (Fault::Leaked, Fate::Out("manual_review")),
        (Fault::Reset, Fate::Rests),
        (Fault::Empty, Fate::Stays),
        (Fault::Garbage, Fate::Rests),
    ];
    let app = TestApp::start().await;
    for (fault, fate) in ways {
        breaks(&app, &fault, fate).await;
    }
    app.finish().await;
}

/// It must show: the same for a key that does not answer at all.
#[tokio::test]
async fn one_of_three_keys_hangs() {
    let app = TestApp::with(Setup { pool: json!({ "call_secs": 6 }), ..Setup::default() }).await;
    breaks(&app, &Fault::Hang, Fate::Rests).await;
    app.finish().await;
}

async fn breaks(app: &TestApp, fault: &Fault, fate: Fate) {
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.heal_all();
    gemini.latency(Duration::from_millis(120));
    app.sql("UPDATE provider_keys SET state = 'active', cooldown_until = NULL, consecutive_failures = 0, ramp = NULL")
        .await;
    let bo = app.rich("bo").await;
    // In the middle of the work.
    crowd(app, &bo, 2).await;
    gemini.clear();
    gemini.fault(BROKEN, fault.clone());
    crowd(app, &bo, 5).await;
    app.runs_over().await;
    pictures_for_all(app, fault).await;
    let reached = calls(app);
    if fate == Fate::Stays {
        assert!(reached > 0, "{fault:?}");
        assert_eq!(app.pool().await, ["k1 active", "k2 active", "k3 active"], "{fault:?}");
        return;
    }
    assert!((1..=CAP + 1).contains(&reached), "{fault:?}: {reached} calls still reached it");
    for cooldown in 1..=COOLDOWNS {
        // While it rests, nobody asks it.
        gemini.clear();
        crowd(app, &bo, 1).await;
        app.runs_over().await;
        assert_eq!(calls(app), 0, "{fault:?}, rest {cooldown}");
        app.set_time("provider_keys", "cooldown_until", Utc::now() - TimeDelta::seconds(1), "state = 'cooldown'").await;
        if cooldown % 2 == 0 {
            app.task("key_cooldown_recovery", &[]).await.unwrap();
        }
        crowd(app, &bo, 3).await;
        app.runs_over().await;
        pictures_for_all(app, fault).await;
        match fate {
            Fate::Rests => assert_eq!(calls(app), 1, "{fault:?}: one probe after rest {cooldown}"),
            Fate::Out(_) | Fate::Stays => assert_eq!(calls(app), 0, "{fault:?}: left alone"),
        }
    }
    let state = app.key(BROKEN).await.state;
    match fate {
        Fate::Out(out) => assert_eq!(state, out, "{fault:?}"),
        Fate::Rests | Fate::Stays => assert_eq!(state, "cooldown", "{fault:?}"),
    }
}

async fn crowd(app: &TestApp, user: &users::Model, wishes: usize) {
    for _ in 0..wishes {
        app.wish(user, "a boat", 1).await;
    }
}

async fn pictures_for_all(app: &TestApp, fault: &Fault) {
    let without = app.count("SELECT COUNT(*) FROM runs WHERE state <> 'succeeded'").await;
    assert_eq!(without, 0, "{fault:?}: {:?}", app.texts("SELECT failure FROM runs WHERE state <> 'succeeded'").await);
}

fn calls(app: &TestApp) -> usize {
    app.sandbox.gemini().calls().iter().filter(|call| call.key == BROKEN).count()
}

/// It must show (invariant 3): a hundred declined prompts, twenty at a time, leave every key as it was.
#[tokio::test]
async fn a_hundred_declined_prompts_hurt_no_key() {
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.fault(EVERY_KEY, Fault::RefusedPrompt);
    let bo = app.rich("bo").await;
    for _ in 0..5 {
        crowd(&app, &bo, 20).await;
        app.runs_over().await;
    }
    let declined = "SELECT COUNT(*) FROM runs WHERE failure = 'refused_prompt'";
    assert_eq!(app.count(declined).await, 100);
    as_they_were(&app).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts").await, 100, "one call each");
    assert_eq!(app.pictures().await, 0);
    app.finish().await;
}

/// It must show (invariant 3): the same with good prompts among them; these have their pictures.
#[tokio::test]
async fn declined_prompts_among_good_ones_hurt_no_key() {
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.latency(Duration::from_millis(60));
    let bo = app.rich("bo").await;
    for round in 0..4 {
        for key in ["sandbox-k1", "sandbox-k2", "sandbox-k3"] {
            let refusal = match round % 2 {
                0 => Fault::RefusedPrompt,
                _ => Fault::RefusedOutput { finish_reason: "IMAGE_SAFETY".into() },
            };
            gemini.fault_times(key, refusal, 4);
        }
        crowd(&app, &bo, 20).await;
        app.runs_over().await;
        let refused = app.count("SELECT COUNT(*) FROM attempts WHERE outcome = 'refused'").await;
        assert_eq!(refused, 12 * (round + 1));
    }
    as_they_were(&app).await;
    assert_eq!(app.pictures().await, 80 - 48);
    app.finish().await;
}

async fn as_they_were(app: &TestApp) {
    assert_eq!(app.pool().await, ["k1 active", "k2 active", "k3 active"]);
    let touched = "SELECT COUNT(*) FROM provider_keys WHERE epoch <> 0 OR ramp IS NOT NULL OR failures <> 0";
    assert_eq!(app.count(touched).await, 0);
}
