//! Work goes on whether somebody looks or not, and looking costs little.

use std::time::Duration;

use crate::support::{Browser, Screen, Scripts, TestApp, eventually};

/// F30: polls that have nothing new to say answer 304, the last one brings the picture, and then there are none.
#[tokio::test]
async fn polling_is_cheap_and_ends() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().latency(Duration::from_secs(4));
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("ada").await;
    window.open("/app/conversations").await;

    window.ask("a slow river").await;
    window.sees_pictures(1).await;
    window.until("the run to be over", "!document.querySelector('[hx-trigger]')").await;

    let polls = window.requests("/app/runs/");
    let answers: Vec<_> = polls.iter().filter_map(|poll| poll.status).collect();
    assert!(answers.contains(&304), "{answers:?}");
    assert_eq!(answers.last(), Some(&200), "{answers:?}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(window.requests("/app/runs/"), polls, "a finished run is not asked for again");
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}

/// F30: who closes the window while a picture is being made finds it there on coming back.
#[tokio::test]
async fn a_closed_window_loses_nothing() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().latency(Duration::from_secs(4));
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Phone, Scripts::On).await;
    window.sign_in("ada").await;
    window.open("/app/conversations").await;
    window.ask("a patient heron").await;
    window.sees(".cell").await;
    let conversation = window.read("location.pathname").await.as_str().unwrap().to_owned();
    window.assert_quiet();
    window.close().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM runs WHERE state IN ('queued', 'running')").await, 1, "still at work");

    eventually("the run to end by itself", || async {
        (app.count("SELECT COUNT(*) FROM runs WHERE state = 'succeeded'").await == 1).then_some(())
    })
    .await;
    let window = browser.window(Screen::Phone, Scripts::On).await;
    window.open(&conversation).await;
    window.sees_pictures(1).await;
    assert_eq!(window.requests("/app/runs/"), [], "it was on the page from the start");
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}
