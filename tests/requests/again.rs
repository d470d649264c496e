//! Stopping a run, trying again for what is missing, and the same once more.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use sandbox::{Fault, gemini::EVERY_KEY};

use crate::support::{Answer, Filled, Html, Person, Setup, TestApp, eventually};

const CANCEL: &str = "form[action$='/cancellation']";
const RETRY: &str = "form[action$='/runs']";
const AGAIN: &str = "form[action$='/repetition']";

/// A form as htmx sends it.
async fn htmx(person: &Person, form: &Filled) -> Answer {
    let request = person.request(Method::POST, &form.action).header("hx-request", "true");
    person.send(request.header("sec-fetch-site", "same-origin").form(&form.fields)).await
}

fn notice(page: &Html) -> String {
    page.texts("#feed .alert [data-error-text]").join(" ")
}

/// F30, F33: who cancels while a picture is drawn pays nothing, is told so, and gets no picture later; the key is free at
/// once, and the page asks no more.
#[tokio::test]
async fn a_running_picture_is_canceled() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().fault(EVERY_KEY, Fault::Hang);
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a slow river", &[]).await;
    assert!(app.sandbox.gemini().wait_for_calls(1, crate::support::PATIENCE).await);
    let page = ada.get(&conversation).await.html();
    let (poll, tag) = (page.attribute("[hx-trigger]", "hx-get"), page.attribute("[hx-trigger]", "hx-ptag"));

    let answer = htmx(&ada, &page.form(CANCEL)).await;

    assert_eq!(answer.status, 200);
    let fragment = answer.html();
    assert!(fragment.text().contains("Canceled. You were not charged."), "{}", fragment.text());
    assert!(!fragment.has("[hx-trigger]") && !fragment.has(".cell"));
    assert_eq!(fragment.texts("#allowance"), ["3 free pictures left"]);
    let request = ada.request(Method::GET, &poll).header("hx-request", "true").header("hx-ptag", &tag);
    let last = ada.send(request).await;
    assert_eq!(last.status, 200, "whoever looks on in another window sees it end");
    assert!(!last.html().has("[hx-trigger]"));
    let again = ada.request(Method::GET, &poll).header("hx-request", "true").header("hx-ptag", last.header("hx-ptag"));
    assert_eq!(ada.send(again).await.status, 304);

    app.idle().await;
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -1 / release 1");
    assert_eq!(app.text("SELECT state FROM runs").await, "canceled");
    assert_eq!(app.pool().await, ["k1 active", "k2 active", "k3 active"], "no key is to blame");
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts WHERE finished_at IS NULL").await, 0);
    assert_eq!(app.stored(), Vec::<std::path::PathBuf>::new());
    let twice = ada.submit(&page.form(CANCEL)).await;
    assert_eq!(twice.status, 303, "a second press is harmless");
    app.finish().await;
}

/// F24, F30: what the composer says of what is left comes with the end of a run, and so does whether one can press.
#[tokio::test]
async fn the_last_free_picture_is_canceled() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    ada.ask("two kites", &[("batch_size", "2")]).await;
    let conversation = ada.ask("a slow river", &[]).await;
    let page = ada.get(&conversation).await.html();
    assert!(page.has("#create[disabled]"));
    assert_eq!(page.texts("#means [data-error-text]"), ["You have no pictures left. What you made stays yours."]);
    assert_eq!(page.texts("#cost"), ["No free pictures left"]);

    let fragment = htmx(&ada, &page.form(CANCEL)).await.html();

    assert!(fragment.has("#create") && !fragment.has("#create[disabled]"));
    assert_eq!(fragment.texts("#means"), ["This is your last free picture. After it, the plan goes on.See the plan"]);
    assert!(fragment.attribute("#cost", "data-words").contains("Uses your last free picture"));
    assert!(!fragment.has("#prompt"), "what is being typed stays");
    app.abandon().await;
}

/// F30: what waits in line is canceled too, and its job does nothing when it comes.
#[tokio::test]
async fn a_queued_picture_is_canceled() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a slow river", &[("batch_size", "2")]).await;

    let answer = ada.submit(&ada.get(&conversation).await.html().form(CANCEL)).await;

    assert_eq!(answer.status, 303);
    assert!(answer.location().starts_with(&format!("{conversation}#turn-")));
    assert_eq!(notice(&ada.get(&conversation).await.html()), "Canceled. You were not charged.");
    app.work();
    app.idle().await;
    assert_eq!(app.sandbox.gemini().calls().len(), 0);
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -2 / release 2");
    app.finish().await;
}

/// F29, F30: what had come before the cancellation stays and is paid; "Try again" then brings only the rest, once however
/// often it is pressed.
#[tokio::test]
async fn the_rest_is_canceled_and_brought_later() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().fault_times(EVERY_KEY, Fault::Hang, 1);
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("two boats", &[("batch_size", "2")]).await;
    eventually("one of them", || async { (app.count("SELECT outputs_delivered FROM runs").await == 1).then_some(()) })
        .await;
    ada.submit(&ada.get(&conversation).await.html().form(CANCEL)).await;
    app.idle().await;

    let page = ada.settled(&conversation).await;
    assert_eq!(notice(&page), "Canceled. You were charged only for the pictures that came.");
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -2 / capture -1 / release 1");
    let retry = page.form(RETRY);
    assert_eq!(page.texts(&format!("{RETRY} button")), ["Try again for 1"]);

    let answers = join_all((0..20).map(|_| ada.submit(&retry))).await;

    assert!(answers.iter().all(|answer| answer.status == 303 && answer.location() == answers[0].location()));
    let page = ada.settled(&conversation).await;
    assert_eq!(page.attributes(".cell img", "src").len(), 2, "{}", page.text());
    assert_eq!(page.texts("[role=status]")[0], "All 2 pictures are ready");
    assert!(!page.has("#feed .alert"));
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 2);
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -2 / capture -1 / release 1 / hold -1 / capture -1");
    ada.submit(&retry).await;
    app.idle().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 2, "nothing is missing any more");
    app.finish().await;
}

/// F35: after a failure "Try again" is a new run of the same turn; it costs when it brings a picture, and passes the same
/// checks as a first wish.
#[tokio::test]
async fn a_failure_is_tried_again() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().fault(EVERY_KEY, Fault::NotAPicture);
    let ada = app.sign_in("ada").await;
    let page = ada.make("three boats", &[("batch_size", "3")]).await;
    assert!(!page.has(".cell"), "no grey places above the sentence");
    assert!(notice(&page).contains("charged"), "{}", notice(&page));
    app.sandbox.gemini().heal_all();
    app.sql("UPDATE provider_keys SET state = 'active', cooldown_until = NULL, consecutive_failures = 0").await;
    ada.make("one that costs", &[]).await;

    let short = htmx(&ada, &page.form(RETRY)).await;

    assert_eq!(short.status, 402);
    assert!(short.html().text().contains("What you have left does not cover this. Nothing was charged."));
    assert_eq!(short.html().attribute("[id^=said-] a", "href"), "/app/billing");
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 2);
    app.task("grant", &[("email", "ada@example.com"), ("kind", "tokens"), ("amount", "1000")]).await.unwrap();
    let started = htmx(&ada, &page.form(RETRY)).await;
    assert_eq!(started.status, 200);
    app.idle().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM runs WHERE number = 2 AND state = 'succeeded'").await, 1);
    app.finish().await;
}

/// F27: "Run again" is a further turn with the same words and settings, once per press.
#[tokio::test]
async fn the_same_once_more() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    let conversation = bo.ask("a boat", &[("aspect_ratio", "3:4"), ("batch_size", "2")]).await;
    let page = bo.settled(&conversation).await;

    let press = page.form(AGAIN);
    let answers = join_all((0..20).map(|_| bo.submit(&press))).await;

    assert!(answers.iter().all(|answer| answer.status == 303 && answer.location() == answers[0].location()));
    let page = bo.settled(&conversation).await;
    assert_eq!(page.texts("article .bubble"), ["a boat", "a boat"]);
    assert_eq!(page.attributes(".cell img", "src").len(), 4);
    let calls = app.sandbox.gemini().calls();
    assert!(calls.iter().all(|call| call.prompt == "a boat" && call.aspect_ratio.as_deref() == Some("3:4")));
    assert_eq!((calls.len(), app.spent("bo").await), (4, 4));
    let fresh = htmx(&bo, &page.form(AGAIN)).await;
    assert_eq!(fresh.status, 200);
    assert_eq!(fresh.html().texts(".bubble"), ["a boat"], "htmx gets the turn alone");
    assert!(fresh.body.contains("<hx-partial"), "and a fresh button");
    app.idle().await;
    app.finish().await;
}

/// Invariant 3, F31: cancellations, deliveries and deadlines at the same moment: whoever wins, the books hold, and no more
/// is charged than came.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cancellations_race_deliveries() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().latency(Duration::from_millis(30));
    let bo = app.sign_in("bo").await;
    for round in 0..8_u64 {
        let conversation = bo.ask("a boat", &[("batch_size", "4")]).await;
        let page = bo.get(&conversation).await.html();
        if !page.has(CANCEL) {
            continue;
        }
        let form = page.form(CANCEL);
        tokio::time::sleep(Duration::from_millis(round * 25)).await;
        let expired = app.set_time("runs", "deadline_at", chrono::Utc::now(), "finished_at IS NULL AND id % 3 = 0");
        let presses = join_all((0..6).map(|_| bo.submit(&form)));
        let (_, presses, ()) = tokio::join!(nproxy::models::runs::recovery::recover_stuck(&app.ctx), presses, expired);
        assert!(presses.iter().all(|answer| answer.status == 303));
    }
    app.idle().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await, 0);
    assert_eq!(app.open_holds().await, 0);
    let came = app.count("SELECT COUNT(*) FROM outputs WHERE state = 'done'").await;
    assert_eq!(app.spent("bo").await, came);
    assert_eq!(app.count("SELECT COUNT(*) FROM assets").await, came);
    assert_eq!(i64::try_from(app.stored().len()).unwrap(), 2 * came, "what came too late left no bytes");
    app.finish().await;
}
