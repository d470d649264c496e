//! The turns of a conversation, which scroll by themselves.

use crate::support::{Browser, Screen, Scripts, TestApp};

/// How far above its end, in pixels: the turns are laid out from below.
const FROM_THE_END: &str = "-document.querySelector('#turns').scrollTop";

/// Of four turns with four pictures each.
async fn long_conversation(app: &TestApp) -> String {
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
    conversation.to_owned()
}

/// Neither the head nor the composer lies over a turn wherever one has scrolled to, so that nothing to click is half
/// covered; it begins at the newest and stays there while a keyboard rises, keys turn its pages, and who comes back from
/// a picture comes back to its turn.
#[tokio::test]
async fn they_scroll_in_a_box_of_their_own() {
    let app = TestApp::start().await;
    let conversation = &long_conversation(&app).await;
    let browser = Browser::open(&app).await;
    for screen in [Screen::Desk, Screen::Phone] {
        let window = browser.stranger(screen, Scripts::On).await;
        window.sign_in("ada").await;
        window.open(conversation).await;

        let newest = format!("{FROM_THE_END} < 2");
        window.until("the newest", &newest).await;
        assert_eq!(window.read("document.scrollingElement.scrollHeight > innerHeight").await, false);
        let [head, turns, composer] = ["header", "#turns", ".composer-place"]
            .map(|part| format!("document.querySelector('{part}').getBoundingClientRect()"));
        let apart = format!("{head}.bottom <= {turns}.top && {turns}.bottom <= {composer}.top && {turns}.height > 300");
        assert_eq!(window.read(&apart).await, true);

        window.click("#prompt").await;
        if screen == Screen::Phone {
            window.switch(Screen::TypingPhone).await;
            window.until("the keyboard", "innerHeight < 500").await;
            assert_eq!(window.read(&newest).await, true, "what rises below takes nothing out of sight");
            window.switch(Screen::Phone).await;
        }
        window.key("PageUp", false).await;
        window.until("a page further up", &format!("{FROM_THE_END} > 200")).await;

        window.click("[id^=turn-] .cell-frame").await;
        window.until("the picture", "location.pathname.startsWith('/app/pictures/')").await;
        window.read("void history.back()").await;
        let first = "[...document.querySelectorAll('[id^=turn-]')][0].getBoundingClientRect()";
        window.until("its turn", &format!("location.hash.startsWith('#turn-') && {first}.bottom > {turns}.top")).await;
        window.assert_quiet();
    }
    // Without scripts it begins at the newest as well.
    let window = browser.window(Screen::Phone, Scripts::Off).await;
    window.open(conversation).await;
    window.until("the newest", &format!("{FROM_THE_END} < 2")).await;
    browser.close().await;
    app.finish().await;
}

/// Who asks for more while far up, or a hair above the end, sees the new turn to its end.
#[tokio::test]
async fn a_new_turn_is_seen_to_its_end() {
    let app = TestApp::start().await;
    let conversation = long_conversation(&app).await;
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("ada").await;
    window.open(&conversation).await;
    window.until("the newest", &format!("{FROM_THE_END} < 2")).await;
    for (up, turns) in [(900, 5), (1, 6)] {
        window.write("#prompt", "one more").await;
        let to = format!("{{ top: -{up}, behavior: 'instant' }}");
        window.read(&format!("document.querySelector('#turns').scrollTo({to})")).await;
        window.until("what is further up", &format!("{FROM_THE_END} >= {up}")).await;

        window.click("#create").await;

        window.until("the new turn", &format!("document.querySelectorAll('[id^=turn-]').length === {turns}")).await;
        let [newest, composer] = ["#feed > :last-child", ".composer-place"]
            .map(|part| format!("document.querySelector('{part}').getBoundingClientRect()"));
        let at_its_end = format!("{FROM_THE_END} < 2 && {newest}.bottom <= {composer}.top");
        window.until("its end", &at_its_end).await;
        window.until("its pictures", "!document.querySelector('[hx-trigger]')").await;
        assert_eq!(window.read(&at_its_end).await, true, "and stays there");
    }
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}
