//! Every page on every screen.

use serde_json::{Value, json};

use crate::support::{Browser, Screen, Scripts, TestApp, Window, eventually};

/// How wide the page is and what reaches over the right edge; empty when it fits. A phone draws a wide page smaller and calls
/// what then fits its width: the page is held against the screen itself.
pub(super) fn wider_than(screen: Screen) -> String {
    let (width, _) = screen.size();
    format!(
        "document.documentElement.scrollWidth <= {width} ? [] : [`${{document.documentElement.scrollWidth}} px`, \
         ...[...document.querySelectorAll('body *')].filter((it) => it.getBoundingClientRect().right > {width} + 1) \
         .slice(0, 5).map((it) => it.outerHTML.slice(0, 120))]"
    )
}

/// What a finger would miss: smaller than 44 × 44, and not a link within a line of text.
pub(super) const TOO_SMALL: &str = "[...document.querySelectorAll('a, button, summary, select, textarea, input:not([type=hidden])')] \
    .filter((it) => it.checkVisibility({ visibilityProperty: true, opacityProperty: false }) && it.tabIndex >= 0) \
    .map((it) => it.closest('label') || it) \
    .filter((it) => { const box = it.getBoundingClientRect(); return box.bottom > 0 && Math.min(box.width, box.height) < 43.5 }) \
    .filter((it) => getComputedStyle(it).display !== 'inline') \
    .map((it) => `${it.outerHTML.slice(0, 120)} ${it.getBoundingClientRect().width} × ${it.getBoundingClientRect().height}`)";

/// F27: on no page does anything stick out, and on a phone everything can be hit with a finger.
#[tokio::test]
async fn every_page_fits_every_screen() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let conversation =
        ada.ask("a lighthouse on a cliff at dusk, with a very long prompt that has to break somewhere", &[]).await;
    let page = ada.settled(&conversation).await;
    let picture = page.attribute("a.cell-frame", "href");
    let with_input = page.attribute(".cell-actions a", "href");
    let source = picture.rsplit('/').next().unwrap();
    let made = ada.make("the same in winter", &[("mode", "image_to_image"), ("input", source)]).await;
    let made = made.attribute("a.cell-frame", "href");
    let compared = format!("{made}?compare=1");
    app.sandbox.gemini().fault(sandbox::gemini::EVERY_KEY, sandbox::Fault::RefusedPrompt);
    let failed =
        ada.ask("somethingwithoutanyspaceatallthatwouldreachfaroutofthebubbleandthescreenifitcould", &[]).await;
    ada.settled(&failed).await;

    let invoice = app.bill(&ada, "btcpay").await;
    let elsewhere = app.bill(&app.sign_in("eve").await, "nowpayments").await;
    let row = app.invoice(&elsewhere).await;
    let link = nproxy::models::invoices::links::link(&app.ctx, &row).unwrap().replace(&app.url, "");

    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    let outside = [
        "/",
        "/terms",
        "/privacy",
        "/offline",
        "/dev/components",
        "/register",
        "/login",
        "/password/forgot",
        "/activation?token=x",
        "/password/reset?token=x",
        "/email/confirmation?token=x",
        "/nowhere",
        &link,
        "/pay/x",
    ];
    for path in outside {
        fits(&window, path).await;
    }
    window.switch(Screen::Desk).await;
    window.sign_in("ada").await;
    let account = ["/app/account", "/app/account/password", "/app/account/email", "/app/account/deletion"];
    let studio = [
        "/app",
        "/app/gallery",
        "/app/queue",
        "/app/exports",
        "/app/history",
        "/app/billing",
        "/app/billing/history",
        "/app/conversations",
        &conversation,
        &with_input,
        &failed,
        &picture,
        &made,
        &compared,
        &invoice,
    ];
    for path in studio.into_iter().chain(account) {
        fits(&window, path).await;
    }

    app.pay_with_lightning(&invoice).await;
    // Until the news has come the plan is still being paid for, and pressing again leads to the same invoice.
    eventually("the month that runs", || async { (app.months().await == 1).then_some(()) }).await;
    let again = app.bill(&ada, "btcpay").await;
    app.pay_with_lightning(&again).await;
    eventually("the month that waits", || async { (app.months().await == 2).then_some(()) }).await;
    // With a bar in the head, and with a picture on either side.
    app.sandbox.gemini().heal_all();
    ada.make("a kite", &[]).await;
    for path in ["/app", "/app/billing", &again, "/app/billing/details", "/app/billing/early-start", &made, &compared] {
        fits(&window, path).await;
    }
    window.switch(Screen::Desk).await;
    window.open("/dev/components").await;
    let bars = window.read("[...document.querySelectorAll('.allowance-bar')].map((it) => it.offsetWidth)").await;
    assert_eq!(bars, json!([56, 56, 56]), "the bars of the allowance");

    // What only shows when it is opened.
    window.switch(Screen::Phone).await;
    window.open(&conversation).await;
    window.click("header [popovertarget=sidebar]").await;
    window.sees("#sidebar").await;
    assert_fits(&window, "the menu").await;
    window.open(&conversation).await;
    window.click("#composer summary").await;
    window.sees("#composer .options").await;
    assert_fits(&window, "the settings").await;

    // However low the window, some conversations are seen; what is seldom gone to folds away.
    window.switch(Screen::TypingPhone).await;
    window.open(&conversation).await;
    window.click("header [popovertarget=sidebar]").await;
    window.sees("#sidebar .sidebar-rest summary").await;
    assert_list(&window).await;
    window.click("#sidebar .sidebar-rest summary").await;
    window.sees("#sidebar a[href='/app/account']").await;
    assert_list(&window).await;
    browser.close().await;
    app.finish().await;
}

async fn fits(window: &Window, path: &str) {
    for screen in [Screen::Desk, Screen::SmallPhone, Screen::Phone] {
        window.switch(screen).await;
        window.open(path).await;
        let wide = window.read(&wider_than(screen)).await;
        assert_eq!(wide, Value::Array(Vec::new()), "{path} on {screen:?}");
    }
    assert_fits(window, path).await;
}

/// In pixels: three of them.
async fn assert_list(window: &Window) {
    assert_eq!(window.read("document.querySelector('#sidebar nav').clientHeight >= 160").await, true);
}

/// On a phone.
async fn assert_fits(window: &Window, what: &str) {
    assert_eq!(window.read(&wider_than(Screen::Phone)).await, Value::Array(Vec::new()), "{what}");
    assert_eq!(window.read(TOO_SMALL).await, Value::Array(Vec::new()), "{what}");
}
