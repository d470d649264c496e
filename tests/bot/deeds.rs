//! What an admin does through the bot.

use chrono::{TimeDelta, Utc};
use nproxy::models::activities;
use sandbox::Fault;

use super::{bob, buttons, click, pair, paired, say};
use crate::support::{Process, TestApp};

/// The newest change of a key's state: what it is called, and by whom it was done.
async fn newest(app: &TestApp, key: i64) -> (String, String) {
    let trace = activities::about(&app.ctx.db, "provider_key", key).await.unwrap();
    (trace[0].activity_type.clone(), format!("{}:{}", trace[0].actor_type, trace[0].actor_id))
}

/// F60, F62: an admin takes a key out and brings it back by buttons; each asks first, works once and leaves one trace of the
/// same kind as the command line's, by another actor.
#[tokio::test]
async fn a_key_is_disabled_and_activated() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    let key = app.key("sandbox-k1").await.id;
    let traces = || async { activities::about(&app.ctx.db, "provider_key", key).await.unwrap().len() };
    let before = traces().await;

    let list = say(&app, &ann, "/keys").await;
    assert!(list.text.starts_with("3 keys") && list.text.contains("sandbox-k1: active"), "{}", list.text);
    let card = click(&app, &ann, &format!("{key} sandbox-k1")).await;
    assert_eq!(buttons(&card), ["Test", "Disable…", "‹ Keys"]);
    assert_eq!(card.id, list.id, "in place of the list");
    let tested = click(&app, &ann, "Test").await;
    assert!(tested.text.contains("✅ Tested: the vendor takes it (directly)"), "{}", tested.text);

    let question = click(&app, &ann, "Disable…").await;
    assert!(question.text.starts_with(&format!("Disable key {key} sandbox-k1?")), "{}", question.text);
    let left = click(&app, &ann, "No").await;
    assert_eq!((left.text.as_str(), left.keyboard.len()), ("Nothing was changed.", 0));
    assert_eq!(app.key("sandbox-k1").await.state, "active");
    assert_eq!(traces().await, before);

    say(&app, &ann, "/key sandbox-k1").await;
    let question = click(&app, &ann, "Disable…").await;
    let yes = question.keyboard[0][0].data.clone();
    let done = click(&app, &ann, "Yes, disable").await;
    assert_eq!(done.text, format!("✅ Key {key} sandbox-k1 is disabled"));
    assert_eq!(app.key("sandbox-k1").await.state, "disabled");
    assert_eq!(newest(&app, key).await, ("change_provider_key_state".into(), "bot:42".into()));
    assert_eq!(traces().await, before + 1);

    // The same button once more.
    let now = app.sandbox.telegram().answers(ann.id);
    app.sandbox.telegram().presses(&ann, done.id, &yes).unwrap();
    let again = super::answer(&app, ann.id, &now).await;
    assert!(again.text.contains("used already"), "{}", again.text);

    say(&app, &ann, "/key sandbox-k1").await;
    let question = click(&app, &ann, "Activate…").await;
    assert!(question.text.contains("The vendor is asked first"), "{}", question.text);
    let done = click(&app, &ann, "Yes, activate").await;
    assert_eq!(done.text, format!("✅ Key {key} sandbox-k1 is active again"));
    assert_eq!(app.key("sandbox-k1").await.state, "active");
    assert_eq!(newest(&app, key).await, ("change_provider_key_state".into(), "bot:42".into()));
    assert_eq!(traces().await, before + 2);

    let why = async || activities::about(&app.ctx.db, "provider_key", key).await.unwrap()[0].detail["reason"].clone();
    assert_eq!(why().await, "through the bot");
    for (verb, reason) in [("disable", "it <b>leaked</b>"), ("activate", "a new one")] {
        let question = say(&app, &ann, &format!("/{verb} sandbox-k1 {reason}")).await;
        assert!(question.text.contains(&format!("Reason: {reason}")), "{}", question.text);
        click(&app, &ann, &format!("Yes, {verb}")).await;
        assert_eq!(why().await, reason);
    }
    let nothing = say(&app, &ann, "/disable nothing because").await;
    assert!(nothing.text.starts_with("There is no such key"), "{}", nothing.text);
    assert!(say(&app, &ann, "/disable").await.text.contains("/disable KEY REASON"));
    assert_eq!(traces().await, before + 4);

    for task in ["key_disable", "key_activate"] {
        app.task(task, &[("key", "sandbox-k1"), ("reason", "by hand")]).await.unwrap();
        assert_eq!(newest(&app, key).await, ("change_provider_key_state".into(), "cli:console".into()));
        assert_eq!(why().await, "by hand");
    }
    assert_eq!(traces().await, before + 6);
    bot.stop().await;
    app.finish().await;
}

/// F60: a key that the vendor does not take stays where it is, and the bot says what the vendor said; an admin who knows
/// better brings it back all the same.
#[tokio::test]
async fn a_key_that_is_not_taken_stays_out() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    app.task("key_disable", &[("key", "sandbox-k1")]).await.unwrap();
    app.sandbox.gemini().fault("sandbox-k1", Fault::KeyInvalid);

    say(&app, &ann, "/key sandbox-k1").await;
    click(&app, &ann, "Activate…").await;
    let refused = click(&app, &ann, "Yes, activate").await;
    assert!(refused.text.contains("stays as it is: the vendor does not take it"), "{}", refused.text);
    assert_eq!(app.key("sandbox-k1").await.state, "disabled");
    let question = click(&app, &ann, "Activate anyway…").await;
    assert!(question.text.contains("without asking the vendor"), "{}", question.text);
    click(&app, &ann, "Yes, activate").await;
    assert_eq!(app.key("sandbox-k1").await.state, "active");
    bot.stop().await;
    app.finish().await;
}

/// F60: a confirmation is for the admin who was asked, for some minutes; nobody else's press and no late one does anything.
#[tokio::test]
async fn a_confirmation_is_for_one_admin_and_some_minutes() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    pair(&app, &bob()).await;
    let telegram = app.sandbox.telegram();
    let ask = async || {
        say(&app, &ann, "/key sandbox-k1").await;
        click(&app, &ann, "Disable…").await.keyboard[0][0].data.clone()
    };

    let yes = ask().await;
    assert!(!app.text("SELECT token_hash FROM telegram_confirmations").await.contains(yes.trim_start_matches("do:")));
    let bobs = say(&app, &bob(), "/keys").await;
    let before = telegram.answers(43);
    telegram.presses(&bob(), bobs.id, &yes).unwrap();
    let void = super::answer(&app, 43, &before).await;
    assert!(void.text.contains("Nothing was changed"), "{}", void.text);
    assert_eq!(app.key("sandbox-k1").await.state, "active");

    app.set_time("telegram_confirmations", "expires_at", Utc::now() - TimeDelta::seconds(1), "used_at IS NULL").await;
    let late = click(&app, &ann, "Yes, disable").await;
    assert!(late.text.contains("too old"), "{}", late.text);
    assert_eq!(app.key("sandbox-k1").await.state, "active");

    // Let go between the question and the press.
    let yes = ask().await;
    app.task("pair_revoke", &[("id", "42")]).await.unwrap();
    let before = telegram.answers(42);
    let message = before.last().unwrap().id;
    telegram.presses(&ann, message, &yes).unwrap();
    super::code(&super::answer(&app, 42, &before).await);
    assert_eq!(app.key("sandbox-k1").await.state, "active");
    bot.stop().await;
    app.finish().await;
}

/// F49, F60, F62: an admin looks at an invoice, has the processor asked, and calls it paid with a reason; once, with the
/// trace that the command line leaves for another invoice.
#[tokio::test]
async fn an_invoice_is_called_paid() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    let path = app.bill(&app.sign_in("ada").await, "btcpay").await;
    let invoice = app.invoice(&path).await;

    let shown = say(&app, &ann, &format!("/pay {}", invoice.pid)).await;
    assert!(shown.text.contains("Of ada@example.com") && shown.text.contains("State: new"), "{}", shown.text);
    assert!(shown.text.contains("Price: 9.99 USD, paid: 0.00 USD"), "{}", shown.text);
    let asked = click(&app, &ann, "Ask the processor").await;
    assert!(asked.text.contains("Asked: it stays new"), "{}", asked.text);

    let id = invoice.id;
    let question = say(&app, &ann, &format!("/pay {id} paid <b>seen</b> on *the* chain")).await;
    assert!(
        question.text.contains("Call it paid?") && question.text.contains("<b>seen</b> on *the* chain"),
        "{}",
        question.text
    );
    assert_eq!(app.invoice(&path).await.state, "new");
    let done = click(&app, &ann, "Yes, it is paid").await;
    assert!(done.text.starts_with("✅ It is paid"), "{}", done.text);
    assert_eq!((app.months().await, app.invoice(&path).await.marked), (1, true));
    let trace = activities::about(&app.ctx.db, "invoice", id).await.unwrap();
    let kinds: Vec<_> =
        trace.iter().map(|row| (row.activity_type.as_str(), row.actor_type.as_str(), row.actor_id.as_str())).collect();
    assert_eq!(kinds, [("mark_invoice_paid", "bot", "42"), ("check_invoice", "bot", "42")]);
    assert_eq!(trace[0].detail["reason"], "<b>seen</b> on *the* chain");

    say(&app, &ann, &format!("/pay {id} paid once more")).await;
    let again = click(&app, &ann, "Yes, it is paid").await;
    assert!(again.text.starts_with("It was paid before"), "{}", again.text);
    assert_eq!(app.months().await, 1);

    let other = app.bill(&app.sign_in("eve").await, "btcpay").await;
    let other = app.invoice(&other).await.id;
    app.task("invoice_mark_paid", &[("invoice", &other.to_string()), ("reason", "by bank")]).await.unwrap();
    let trace = activities::about(&app.ctx.db, "invoice", other).await.unwrap();
    assert_eq!((trace[0].activity_type.as_str(), trace[0].actor_type.as_str()), ("mark_invoice_paid", "cli"));
    bot.stop().await;
    app.finish().await;
}

/// F60, F62: an admin pauses the making of pictures in words of their own, and resumes it; people are told, and the trace
/// is the command line's by another actor.
#[tokio::test]
async fn pictures_are_paused_and_resumed() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    let switched = || async {
        let newest = activities::newest(&app.ctx.db, None, None, None).await.unwrap();
        newest.into_iter().find(|row| row.resource_type == "switch").map(|row| (row.activity_type.clone(), row.actor()))
    };

    let question = say(&app, &ann, "/pause We move the paint. Back at noon.").await;
    assert!(question.text.contains("We move the paint. Back at noon."), "{}", question.text);
    assert_eq!(switched().await, None, "asked first");
    let done = click(&app, &ann, "Yes, pause").await;
    assert!(done.text.starts_with("✅ No more pictures"), "{}", done.text);
    assert_eq!(switched().await, Some(("pause_generation".into(), "bot:42".into())));
    let refused = app.sign_in("bo").await.try_ask("a boat", &[], None).await;
    assert!(refused.body.contains("We move the paint. Back at noon."), "{}", refused.body);
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 0);

    let status = say(&app, &ann, "/status").await;
    assert!(status.text.contains("Pictures: paused since"), "{}", status.text);
    click(&app, &ann, "Resume…").await;
    click(&app, &ann, "Yes, resume").await;
    assert_eq!(switched().await, Some(("resume_generation".into(), "bot:42".into())));
    app.sign_in("bo").await.make("a boat", &[]).await;

    for (on, activity) in [("true", "pause_generation"), ("false", "resume_generation")] {
        app.task("switch_set", &[("name", "generation_paused"), ("on", on)]).await.unwrap();
        assert_eq!(switched().await, Some((activity.into(), "cli:console".into())));
    }
    bot.stop().await;
    app.finish().await;
}
