//! What a person sees when providers fail.

use sandbox::{Fault, gemini::EVERY_KEY};

use crate::support::{Browser, Screen, Scripts, TestApp, Window};

const SENTENCE: &str = "Temporarily unavailable, nothing was charged. Try again in a few minutes.";

/// F29, F27: four pictures come although one key fails, and the page says nothing of it. When every key fails there is one
/// sentence, and the way back to the same words.
#[tokio::test]
async fn keys_fail_behind_the_scenes() {
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.fault("sandbox-k2", Fault::Unauthenticated);
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("bo").await;

    window.open("/app/conversations").await;
    window.click("[name=batch_size][value='4']").await;
    window.ask("four seasons").await;
    window.sees_pictures(4).await;
    assert!(gemini.calls().iter().any(|call| call.key == "sandbox-k2" && call.status == 401), "the key was tried");
    assert_says_nothing_of_keys(&window).await;
    assert_eq!(window.texts("#feed .alert p").await, Vec::<String>::new());

    gemini.fault(EVERY_KEY, Fault::NoFunds);
    window.ask("a lost city").await;
    window.sees("#feed > article:nth-child(2) .alert").await;
    assert_eq!(window.texts("#feed .alert p").await, [SENTENCE]);
    assert_eq!(window.texts("#feed > article:nth-child(2) .cell img").await, Vec::<String>::new());
    assert_says_nothing_of_keys(&window).await;
    window.click("#feed > article:nth-child(2) .alert a").await;
    window.until("the same words to edit", "document.querySelector('#prompt').value === 'a lost city'").await;
    assert_eq!(window.read("document.querySelector('[name=batch_size]:checked').value").await, "4", "and settings");
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}

async fn assert_says_nothing_of_keys(window: &Window) {
    let text = window.texts("main").await.join(" ").to_lowercase();
    for word in ["key", "sandbox", "gemini", "401", "429", "fund", "quota", "provider"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}
