//! The turns of a conversation on a desk, where they scroll by themselves.

use crate::support::{Browser, Screen, Scripts, TestApp};

/// How far below its end.
const FROM_THE_END: &str = "(() => { const it = document.querySelector('#turns'); \
    return it.scrollHeight - it.clientHeight - it.scrollTop })()";

/// Neither the head nor the composer lies over a turn wherever one has scrolled to, so that nothing to click is half
/// covered; it begins at the newest, keys turn its pages, and who comes back from a picture comes back to its turn.
#[tokio::test]
async fn they_scroll_in_a_box_of_their_own() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    app.rich("ada").await;
    let first = ada.ask("a boat", &[("batch_size", "4")]).await;
    let conversation = first.split('#').next().unwrap();
    for prompt in ["a hill", "a lake", "a bird"] {
        ada.settled(conversation).await;
        let wish = [("prompt", prompt), ("client_token", prompt), ("batch_size", "4")];
        ada.post_multipart(&format!("{conversation}/generations"), &wish, None).await;
    }
    ada.settled(conversation).await;
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("ada").await;
    window.open(conversation).await;

    window.until("the newest", &format!("Math.abs({FROM_THE_END}) < 2")).await;
    assert_eq!(window.read("document.scrollingElement.scrollHeight > innerHeight").await, false);
    let [head, turns, composer] = ["header", "#turns", ".composer-place"]
        .map(|part| format!("document.querySelector('{part}').getBoundingClientRect()"));
    let apart = format!("{head}.bottom <= {turns}.top && {turns}.bottom <= {composer}.top && {turns}.height > 300");
    assert_eq!(window.read(&apart).await, true);

    window.click("#prompt").await;
    window.key("PageUp", false).await;
    window.until("a page further up", &format!("{FROM_THE_END} > 200")).await;

    window.click("[id^=turn-] .cell-frame").await;
    window.until("the picture", "location.pathname.startsWith('/app/pictures/')").await;
    window.read("void history.back()").await;
    let first = "[...document.querySelectorAll('[id^=turn-]')][0].getBoundingClientRect()";
    window.until("its turn", &format!("location.hash.startsWith('#turn-') && {first}.bottom > {turns}.top")).await;
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}
