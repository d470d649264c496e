//! What can be done to a picture and a conversation while somebody writes: the words stay.

use sandbox::{Fault, gemini::EVERY_KEY};

use crate::support::{Browser, Screen, Scripts, TestApp};

/// F30, F33, C21: cancel, try again, use as input, delete, undo and rename, with a mouse and with a finger; what is being
/// typed is still there after each, and nothing of it breaks a rule of the page.
#[tokio::test]
async fn words_outlive_every_press() {
    const WORDS: &str = "document.querySelector('#prompt').value === 'half a thought'";
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    let browser = Browser::open(&app).await;
    for screen in [Screen::Desk, Screen::Phone] {
        gemini.fault(EVERY_KEY, Fault::Hang);
        let window = browser.stranger(screen, Scripts::On).await;
        window.sign_in("bo").await;
        window.open("/app/conversations").await;
        window.ask("a slow river").await;
        window.sees("form[action$='/cancellation'] button").await;
        window.write("#prompt", "half a thought").await;

        window.click("form[action$='/cancellation'] button").await;
        window.sees("#feed .alert").await;
        assert_eq!(window.texts("#feed .alert p").await, ["Canceled. You were not charged."]);
        assert_eq!(window.read(WORDS).await, true);

        gemini.heal_all();
        window.click("#feed form[action$='/runs'] button").await;
        window.sees_pictures(1).await;
        assert_eq!(window.read(WORDS).await, true);

        window.click("[aria-label='Use as input, picture 1']").await;
        window.sees("#source [data-chip]").await;
        assert_eq!(window.read(WORDS).await, true);

        window.click("[aria-label='Delete, picture 1']").await;
        window.sees("form[action$='/restoration'] button").await;
        window.click("form[action$='/restoration'] button").await;
        window.sees_pictures(1).await;
        assert_eq!(window.read(WORDS).await, true);

        window.click("[popovertarget=conversation-actions]").await;
        window.write("#title", "My river").await;
        window.click("#rename button").await;
        window.until("the new name", "document.querySelector('#conversation-title').textContent === 'My river'").await;
        assert_eq!(window.texts("h1").await, ["My river"]);
        assert_eq!(window.read(WORDS).await, true);
        window.assert_quiet();
        window.close().await;
    }
    browser.close().await;
    app.finish().await;
}
