//! What can be done to a picture and a conversation while somebody writes: the words stay.

use base64::{Engine, prelude::BASE64_STANDARD};
use sandbox::{Fault, gemini::EVERY_KEY};

use crate::support::{Browser, Screen, Scripts, TestApp, pictures};

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
        window.until("the tab's name", "document.title.startsWith('My river · ')").await;
        assert_eq!(window.read(WORDS).await, true);
        window.assert_quiet();
        window.close().await;
    }
    browser.close().await;
    app.finish().await;
}

/// F24: while the last free picture is under way one cannot press, when it was canceled one can; what is being typed stays,
/// and what a number of pictures costs is said as it is chosen.
#[tokio::test]
async fn the_composer_follows_what_is_left() {
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    let ada = app.sign_in("ada").await;
    ada.make("a kite", &[]).await;
    let conversation = ada.ask("a boat", &[]).await;
    ada.settled(&conversation).await;
    gemini.fault(EVERY_KEY, Fault::Hang);
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("ada").await;
    window.open(&conversation).await;
    assert_eq!(window.texts("#cost").await, ["Uses your last free picture"]);

    window.ask("a slow river").await;
    window.until("that nothing is left", "document.querySelector('#create').disabled").await;
    let nothing = "You have no pictures left. What you made stays yours.";
    assert_eq!(window.texts("#means [data-error-text]").await, [nothing]);
    window.write("#prompt", "half a thought").await;
    window.click("form[action$='/cancellation'] button").await;

    window.until("that something is left", "!document.querySelector('#create').disabled").await;
    let last = "This is your last free picture. After it, the plan goes on.";
    assert_eq!(window.texts("#means span").await, [last]);
    assert_eq!(window.read("document.querySelector('#prompt').value").await, "half a thought");
    assert_eq!(window.texts("#cost").await, ["Uses your last free picture"]);
    window.click("[name=batch_size][value='2']").await;
    window.until("the price of two", "document.querySelector('#cost').textContent === 'More than you have left'").await;
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}

/// F28: a picture from the clipboard, or dropped anywhere on the page, goes with the prompt, and the
/// browser does not leave the page for it.
#[tokio::test]
async fn a_picture_is_pasted_or_dropped() {
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    let file = format!(
        "(() => {{ const data = new DataTransfer(); \
         const bytes = Uint8Array.from(atob('{}'), (it) => it.charCodeAt(0)); \
         data.items.add(new File([bytes], 'photo.png', {{ type: 'image/png' }})); return data; }})()",
        BASE64_STANDARD.encode(pictures::png(&pictures::drawing(60, 40)))
    );
    let ways = [
        ("paste", format!("new ClipboardEvent('paste', {{ clipboardData: {file}, bubbles: true, cancelable: true }})")),
        ("drop", format!("new DragEvent('drop', {{ dataTransfer: {file}, bubbles: true, cancelable: true }})")),
    ];
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("bo").await;
    for (way, event) in ways {
        window.open("/app/conversations").await;
        window.write("#prompt", &format!("the same by {way}")).await;
        gemini.clear();

        let went_on = window.read(&format!("document.querySelector('#feed, main').dispatchEvent({event})")).await;
        assert_eq!(went_on, false, "the browser would open the file");
        window.until("its name", "document.querySelector('#composer').textContent.includes('photo.png')").await;
        let drawn = "[...document.querySelectorAll('#composer img')].some((it) => it.naturalWidth === 60)";
        window.until("how it looks", drawn).await;
        window.click("#composer button[type=submit]").await;
        window.sees_pictures(1).await;

        let calls = gemini.calls();
        assert_eq!((calls[0].prompt.contains(way), calls[0].inputs.len()), (true, 1), "{:?}", calls[0]);
    }
    window.assert_quiet();
    window.close().await;
    browser.close().await;
    app.finish().await;
}

/// One press takes a picture along, as the PNG that other programs paste.
#[tokio::test]
async fn a_picture_is_copied() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("bo").await;
    window.open("/app/conversations").await;
    window.write("#prompt", "a lighthouse").await;
    window.click("#composer button[type=submit]").await;
    window.sees_pictures(1).await;
    window.click("#feed a.cell-frame").await;
    window.sees("#shown").await;
    let size = window.read("`${shown.naturalWidth}x${shown.naturalHeight}`").await;

    browser.allow("clipboard-read").await;
    window.click("[data-copy='#shown']").await;
    window.until("the page to say so", "document.querySelector('#toasts').textContent.includes('Copied')").await;
    let copied = "navigator.clipboard.read().then(([item]) => item.getType('image/png')).then(createImageBitmap)\
                  .then(({ width, height }) => `${width}x${height}`)";
    assert_eq!(window.run(copied).await, size);
    window.assert_quiet();
    window.close().await;
    browser.close().await;
    app.finish().await;
}
