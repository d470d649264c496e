//! What admins hear of by themselves.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use nproxy::models::{alerts, doctor, invoices};
use sandbox::{Fault, TelegramFault, TelegramMessage, TelegramTrouble, telegram::ANN};

use super::{bob, click, pair, paired, say};
use crate::support::{Process, Setup, TestApp, eventually};

/// The messages of a chat that tell of trouble or its end.
fn told(app: &TestApp, chat: i64) -> Vec<TelegramMessage> {
    let all = app.sandbox.telegram().answers(chat);
    all.into_iter().filter(|it| it.text.contains("⚠️") || it.text.contains("✅ Over")).collect()
}

async fn heard(app: &TestApp, chat: i64, words: &str) -> TelegramMessage {
    eventually(&format!("{words:?} in the chat {chat}"), || async {
        told(app, chat).into_iter().find(|it| it.text.contains(words))
    })
    .await
}

/// F38, F59: a key that fails eleven times in a row goes to a person, and every admin hears of it, once, with the key at
/// hand; mended, they hear that too.
#[tokio::test]
async fn admins_hear_of_a_key_that_needs_them() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1", "sandbox-k2"], ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    pair(&app, &bob()).await;
    let key = app.key("sandbox-k1").await.id;
    // Ten failures lie behind it.
    app.sql("UPDATE provider_keys SET consecutive_failures = 10 WHERE label = 'sandbox-k1'").await;
    app.sandbox.gemini().fault("sandbox-k1", Fault::Status { code: 503 });
    let bo = app.sign_in("bo").await;
    bo.make("a boat", &[]).await;
    // The picture of the other key shows that it was not the provider.
    app.runs_left().await;
    assert_eq!(app.pool().await, ["k1 manual_review 11", "k2 active"]);

    for chat in [42, 43] {
        let alert = heard(&app, chat, &format!("Key {key} (sandbox-k1) is out of service")).await;
        assert!(alert.text.contains("One gemini key is left"), "together in one message: {}", alert.text);
    }
    app.idle().await;
    alerts::look(&app.ctx).await.unwrap();
    alerts::deliver_missed(&app.ctx).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((told(&app, 42).len(), told(&app, 43).len()), (1, 1), "one message per event per admin");
    let status = say(&app, &ann, "/status").await;
    assert!(status.text.starts_with("⚠️ 2 things need a look"), "{}", status.text);

    app.sandbox.gemini().heal_all();
    say(&app, &ann, "/key sandbox-k1").await;
    click(&app, &ann, "Activate…").await;
    click(&app, &ann, "Yes, activate").await;
    for chat in [42, 43] {
        let over = heard(&app, chat, &format!("✅ Over: Key {key} (sandbox-k1) is out of service")).await;
        assert!(over.text.contains("✅ Over: One gemini key is left"), "{}", over.text);
    }
    assert!(say(&app, &ann, "/status").await.text.starts_with("✅ All is well"));
    bot.stop().await;
    app.finish().await;
}

/// F59: an account without money, then the last key: each is told once, a single alert with its key as a button.
#[tokio::test]
async fn admins_hear_when_no_key_is_left() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1"], ..Setup::default() }).await;
    let bot = Process::bot(&app, &[]);
    paired(&app).await;
    let key = app.key("sandbox-k1").await.id;
    app.task("key_balance", &[("key", "sandbox-k1"), ("dollars", "1.00")]).await.unwrap();
    app.task("provider_balance_refresh", &[]).await.unwrap();
    let low = heard(&app, 42, &format!("The balance of key {key} (sandbox-k1) is low")).await;
    assert!(low.text.contains("$1.00 are left"), "{}", low.text);
    assert_eq!(super::buttons(&low), [format!("Key {key}")]);

    app.sandbox.gemini().fault("sandbox-k1", Fault::NoFunds);
    let bo = app.sign_in("bo").await;
    bo.ask("a boat", &[]).await;
    heard(&app, 42, "Its account cannot pay for the next picture").await;
    heard(&app, 42, "No gemini key works now").await;
    app.idle().await;
    assert_eq!(app.key("sandbox-k1").await.state, "out_of_funds");
    let count = |words: &str| told(&app, 42).iter().filter(|it| it.text.contains(words)).count();
    assert_eq!((count("No gemini key works now"), count("is out of service")), (1, 1));
    bot.stop().await;
    app.finish().await;
}

/// F59: while Telegram is away alerts wait; then they come, in one message, without the one nobody needs to hear twice.
#[tokio::test]
async fn alerts_wait_for_telegram() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    paired(&app).await;
    bot.stop().await;
    let telegram = app.sandbox.telegram();
    telegram.fail(TelegramTrouble::always(TelegramFault::Reset).of("sendMessage"));
    for key in ["sandbox-k1", "sandbox-k2", "sandbox-k3"] {
        app.sql(&format!("UPDATE provider_keys SET state = 'active' WHERE label = '{key}'")).await;
        app.task("key_disable", &[("key", key)]).await.unwrap();
    }
    eventually("a try", || async {
        let tried = telegram
            .calls()
            .iter()
            .any(|it| it.method == "sendmessage" && it.body["text"].as_str().is_some_and(|it| it.contains('⚠')));
        tried.then_some(())
    })
    .await;
    assert!(told(&app, 42).is_empty());
    telegram.heal();
    let alert = heard(&app, 42, "No gemini key works now").await;
    assert!(alert.text.contains("One gemini key is left"), "{}", alert.text);
    app.idle().await;
    assert_eq!(told(&app, 42).len(), 1, "{:#?}", told(&app, 42));
    assert_eq!(app.count("SELECT COUNT(*) FROM notifications WHERE sent_at IS NULL AND channel = 'telegram'").await, 0);
    app.finish().await;
}

/// A chat that is closed to the bot keeps nobody else from hearing, and is not tried for ever.
#[tokio::test]
async fn a_closed_chat_is_given_up() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    paired(&app).await;
    bot.stop().await;
    app.sandbox.telegram().fail(TelegramTrouble::always(TelegramFault::Blocked).of("sendMessage").times(1));
    for key in ["sandbox-k1", "sandbox-k2"] {
        app.task("key_disable", &[("key", key)]).await.unwrap();
    }
    app.idle().await;
    let error = app.text("SELECT error FROM notifications WHERE kind = 'alert'").await;
    assert_eq!(error, "the chat is closed to the bot");
    app.finish().await;
}

/// A job that died and a queue that stands still are found, also by the bot's own process when no worker runs.
#[tokio::test]
async fn the_bot_watches_when_nobody_works() {
    let mut app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    paired(&app).await;
    bot.stop().await;
    app.idle().await;
    // From here on nobody runs jobs.
    app.rest().await;
    app.sql(
        "INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, created_at) \
         SELECT 'FulfilRun', '{}', 'default', 0, 'queued', created_at, 0, 5, created_at FROM jobs LIMIT 1",
    )
    .await;
    let long_ago = chrono::Utc::now() - chrono::TimeDelta::minutes(17);
    app.set_time("jobs", "run_at", long_ago, "state = 'queued'").await;
    app.sql(
        "INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, created_at, finished_at, last_error) \
         SELECT 'ApplyPayment', '{}', 'default', 0, 'dead', created_at, 10, 10, created_at, created_at, 'a canary error' FROM jobs LIMIT 1",
    )
    .await;
    let dead = app.count("SELECT id FROM jobs WHERE state = 'dead'").await;
    let bot = Process::bot(&app, &[]);
    // Messages that no job has sent are sent by the bot once they have waited for ten seconds.
    let told_of = heard(&app, ANN.id, "The job queue stands still").await;
    assert!(told_of.text.contains("has waited for 17 minutes"), "{}", told_of.text);
    let died = heard(&app, ANN.id, "A job has died: ApplyPayment").await;
    assert!(died.text.contains(&format!("job_retry job:{dead}")) && !died.text.contains("canary"), "{}", died.text);
    app.sql("DELETE FROM jobs WHERE state IN ('queued', 'dead')").await;
    heard(&app, ANN.id, "✅ Over: The job queue stands still").await;
    bot.stop().await;
    app.finish().await;
}

/// F59: money that is not as it should be is told of once: a payment that came late, and a processor that cannot be compared
/// with; the second is over when it can.
#[tokio::test]
async fn admins_hear_of_odd_payments() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    paired(&app).await;
    let path = app.bill(&app.sign_in("ada").await, "btcpay").await;
    let invoice = app.invoice(&path).await;
    let reference = invoice.processor_ref.clone().unwrap();
    app.sandbox.btcpay().expire(&reference);
    app.sandbox.btcpay().pay(&reference, sandbox::btcpay::Way::Lightning, sandbox::Amount::Due).unwrap();
    let late = heard(&app, 42, &format!("Invoice {} was paid late", invoice.id)).await;
    assert!(late.text.starts_with("⚠️ A payment needs a look"), "{}", late.text);
    app.idle().await;
    assert_eq!(app.invoice(&path).await.state, "paid");

    app.sandbox.btcpay().troubles().fail(sandbox::Spoil::Status { code: 503 });
    for _ in 0..2 {
        assert!(app.task("invoice_reconcile", &[]).await.is_err(), "an operator has to look");
    }
    heard(&app, 42, "btcpay cannot be compared").await;
    app.idle().await;
    let said: Vec<_> = told(&app, 42).into_iter().filter(|it| it.text.contains("cannot be compared")).collect();
    assert_eq!(said.len(), 1, "{said:#?}");
    app.sandbox.btcpay().troubles().heal();
    app.task("invoice_reconcile", &[]).await.unwrap();
    heard(&app, 42, "✅ Over: A payment needs a look").await;
    bot.stop().await;
    app.finish().await;
}

/// F59: a processor that does not take our key any more: that nobody can pay, and that who has paid is not heard, is told
/// once each, however often it is tried, and is over when it works again.
#[tokio::test]
async fn admins_hear_when_nobody_can_pay() {
    let app = TestApp::start().await;
    let server = app.sandbox.btcpay();
    server.courier().webhooks(sandbox::Webhooks::Off);
    let bot = Process::bot(&app, &[]);
    paired(&app).await;
    let (ada, dee, eve) = (app.sign_in("ada").await, app.sign_in("dee").await, app.sign_in("eve").await);
    let (first, second) = (app.bill(&ada, "btcpay").await, app.bill(&dee, "btcpay").await);
    let (first, second) = (app.invoice(&first).await.id, app.invoice(&second).await.id);
    server.troubles().fail(sandbox::Spoil::Unauthorized);
    let without = app.bill(&eve, "btcpay").await;
    assert_eq!(app.bill(&eve, "btcpay").await, without);
    for invoice in [first, second, first] {
        invoices::apply(&app.ctx, invoice).await.unwrap();
    }
    let alert = heard(&app, 42, "⚠️ Nobody can pay at btcpay").await;
    assert!(alert.text.contains("unauthorized (401)"), "{}", alert.text);
    heard(&app, 42, "⚠️ Payments at btcpay cannot be checked").await;
    app.idle().await;
    let count = |words: &str| told(&app, 42).iter().filter(|it| it.text.contains(words)).count();
    assert_eq!((count("Nobody can pay"), count("cannot be checked")), (1, 1), "{:#?}", told(&app, 42));

    server.troubles().heal();
    invoices::apply(&app.ctx, second).await.unwrap();
    assert_eq!(app.bill(&eve, "btcpay").await, without);
    heard(&app, 42, "✅ Over: Nobody can pay at btcpay").await;
    app.idle().await;
    assert_eq!(count("✅ Over: Payments at btcpay"), 0, "it was noticed at another invoice");
    invoices::apply(&app.ctx, first).await.unwrap();
    heard(&app, 42, "✅ Over: Payments at btcpay cannot be checked").await;
    bot.stop().await;
    app.finish().await;
}

/// C22, F59: a model that its vendor has retired leaves every key looking well and nobody with a picture. Admins hear of it,
/// once, the doctor says what to do, and it is over with the next picture.
#[tokio::test]
async fn admins_hear_of_a_model_that_is_gone() {
    const MODEL: &str = "gemini-nano-banana-2.1";
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1", "sandbox-k2"], ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    let bot = Process::bot(&app, &[]);
    paired(&app).await;
    let models = async || {
        let report = doctor::examine(&app.ctx).await.unwrap();
        report.checks.into_iter().find(|check| check.name == "models").unwrap()
    };
    let well = models().await;
    assert!(well.ok && well.says.starts_with("gemini lists "), "{well:?}");

    gemini.retire(MODEL, true);
    let bo = app.sign_in("bo").await;
    for _ in 0..2 {
        let page = bo.make("a boat", &[]).await;
        assert!(page.text().contains("Temporarily unavailable, nothing was charged."), "{}", page.text());
    }
    heard(&app, 42, &format!("⚠️ No gemini key may use {MODEL}")).await;
    app.idle().await;
    alerts::look(&app.ctx).await.unwrap();
    alerts::deliver_missed(&app.ctx).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(told(&app, 42).len(), 1, "{:#?}", told(&app, 42));
    assert_eq!(app.pool().await, ["k1 active", "k2 active"], "which is why nothing else speaks of it");
    let ill = models().await;
    let findings: Vec<_> = ill.findings.iter().map(|found| (found.row.as_str(), found.says.as_str())).collect();
    let retired = (MODEL, "gemini does not list it: retired, or not for our keys");
    let refused = (MODEL, "was refused to every key at work: nobody gets a picture of it");
    assert_eq!(findings, [retired, refused]);
    assert!(ill.mend.starts_with("config/catalogue.yaml: a wire_model that the vendor lists"), "{}", ill.mend);

    gemini.retire(MODEL, false);
    app.set_time("key_exclusions", "until", Utc::now() - TimeDelta::seconds(1), "id > 0").await;
    let page = bo.make("a boat", &[]).await;
    assert_eq!(page.texts(".cell img").len(), 1, "{}", page.text());
    heard(&app, 42, &format!("✅ Over: No gemini key may use {MODEL}")).await;
    app.idle().await;
    assert_eq!(told(&app, 42).len(), 2, "{:#?}", told(&app, 42));
    assert!(models().await.ok);
    bot.stop().await;
    app.finish().await;
}
