//! From the sign-up form to a picture made from a picture, as a person goes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Browser, Screen, Scripts, Setup, TestApp, Window, eventually};

/// F27, F28, F30: with JavaScript the pictures appear while one looks on, with a mouse and with a finger.
#[tokio::test]
async fn a_stranger_makes_two_pictures() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().latency(Duration::from_secs(2));
    let browser = Browser::open(&app).await;
    for screen in [Screen::Desk, Screen::Phone] {
        let window = browser.stranger(screen, Scripts::On).await;
        journey(&app, &browser, &window, Scripts::On).await;
        let loaded: Vec<_> =
            documents(&window).into_iter().filter(|path| path.starts_with("/app/conversations/")).collect();
        assert_eq!(loaded.len(), 1, "the conversation, nothing anew: {loaded:?}");
        assert!(!window.requests("/app/runs/").is_empty());
        assert_eq!(window.read("location.search").await, "", "a reload does not ask for the same input again");
        window.close().await;
    }
    browser.close().await;
    app.finish().await;
}

/// F27, F28, F30: without JavaScript the same pages do the same; the page loads itself anew while pictures are missing.
#[tokio::test]
async fn a_stranger_without_javascript_makes_two_pictures() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    // A little less than the page waits before it looks again.
    app.sandbox.gemini().latency(Duration::from_secs(3));
    let browser = Browser::open(&app).await;
    for screen in [Screen::Desk, Screen::Phone] {
        let window = browser.stranger(screen, Scripts::Off).await;
        journey(&app, &browser, &window, Scripts::Off).await;
        assert_eq!(window.requests("/static/app.js"), [], "scripts are off");
        assert_eq!(window.requests("/app/runs/"), []);
        window.close().await;
    }
    browser.close().await;
    app.finish().await;
}

/// F94: what a tag manager is told. In the studio it hears who is signed in, to the letter; on public pages, and from whoever
/// is signed out, it hears of nobody.
#[tokio::test]
async fn a_tag_manager_hears_of_people_in_the_studio_alone() {
    let app = TestApp::with(Setup { jobs: false, gtm_id: "GTM-AB12CD3", ..Setup::default() }).await;
    // A page has to escape something of it.
    app.sql("UPDATE users SET email = 'o''hara&co@example.com' WHERE email = 'ada@example.com'").await;
    let person = json!({ "userId": app.user("o'hara&co").await.pid, "email": "o'hara&co@example.com" });
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    for path in ["/", "/terms", "/login"] {
        window.open(path).await;
        assert_eq!(told(&window).await, json!([]), "{path}, never signed in");
    }
    window.sign_in("o'hara&co").await;
    for path in ["/app", "/app/conversations", "/app/account"] {
        window.open(path).await;
        assert_eq!(told(&window).await, json!([person]), "{path}");
    }
    window.open("/terms").await;
    assert_eq!(told(&window).await, json!([]), "a public page, signed in");
    window.open("/app").await;
    window.click("form[action='/logout'] button").await;
    window.until("the end of the session", "!location.pathname.startsWith('/app')").await;
    for path in ["/", "/login"] {
        window.open(path).await;
        assert_eq!(told(&window).await, json!([]), "{path}, signed out");
    }
    browser.close().await;
    app.finish().await;
}

/// What lies in the data layer besides events. The container itself need not come: our own script runs before it.
async fn told(window: &Window) -> Value {
    window.until("the data layer", "window.dataLayer?.some((it) => it.event === 'gtm.js')").await;
    window.read("dataLayer.filter((it) => !it.event)").await
}

async fn journey(app: &TestApp, browser: &Browser, window: &Window, scripts: Scripts) {
    app.sandbox.gemini().clear();
    register(app, window).await;

    window.ask("a lighthouse at dusk").await;
    window.sees(".cell").await;
    mark(window).await;
    window.sees_pictures(1).await;
    assert_eq!(is_marked(window).await, scripts == Scripts::On, "the picture comes without a reload, or with one");
    assert_eq!(window.texts(".bubble").await, ["a lighthouse at dusk"]);

    window.click("[aria-label='Use as input, picture 1']").await;
    window.sees("#composer [name=strength]").await;
    window.click_at("#strength", 0.3).await;
    let strength = window.read("Number(document.querySelector('#strength').value)").await.as_f64().unwrap();
    assert!((0.2..=0.4).contains(&strength), "the slider stands where it was touched: {strength}");
    window.ask("the same in winter").await;
    window.sees("#feed > article:nth-child(2) .cell").await;
    mark(window).await;
    window.sees_pictures(2).await;
    assert_eq!(is_marked(window).await, scripts == Scripts::On);

    let calls = app.sandbox.gemini().calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].prompt, "a lighthouse at dusk");
    assert_eq!(calls[0].inputs, []);
    assert_eq!(calls[1].inputs.len(), 1);
    assert_eq!(Some(&calls[1].inputs[0].bytes), calls[0].picture.as_ref(), "the first picture went along");
    let words = format!("the same in winter\n\nChange strength: {}%.", (strength * 100.0).round());
    assert!(calls[1].prompt.starts_with(&words), "{}", calls[1].prompt);

    window.click("#feed > article:nth-child(2) [aria-label='Download, picture 1']").await;
    assert_eq!(Some(browser.downloaded().await), calls[1].picture, "what the provider drew, byte for byte");
    window.assert_quiet();
}

async fn register(app: &TestApp, window: &Window) {
    let email = format!("{}@example.com", uuid::Uuid::new_v4().simple());
    window.open("/").await;
    window.click("main a[href$='/register']").await;
    window.write("#email", &email).await;
    window.write("#password", "an otter in a red canoe").await;
    window.click("main form button[type=submit]").await;
    window.until("the hint at the mail", "document.querySelector('h1').textContent === 'Check your mail'").await;
    let link =
        eventually("the mail", || async { app.sandbox.mail().to(&email).first().map(|mail| mail.links()[0].clone()) })
            .await;
    window.open(&link).await;
    window.click("form[action='/activation'] button").await;
    window.until("the studio", "location.pathname === '/app/conversations'").await;
    assert_eq!(window.texts("#allowance").await, ["3 free pictures left"]);
}

/// Stays on this document and is gone with it.
async fn mark(window: &Window) {
    window.read("document.documentElement.dataset.marked = 'yes'").await;
}

async fn is_marked(window: &Window) -> bool {
    window.read("document.documentElement.dataset.marked === 'yes'").await == true
}

fn documents(window: &Window) -> Vec<String> {
    window.requests("/").into_iter().filter(|it| it.is_document && it.method == "GET").map(|it| it.path).collect()
}
