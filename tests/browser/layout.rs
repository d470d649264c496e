//! Every page on every screen.

use serde_json::Value;

use crate::support::{Browser, Screen, Scripts, TestApp, Window, eventually};

/// What reaches over the right edge; empty when the page fits.
pub(super) const WIDER_THAN_THE_SCREEN: &str = "document.documentElement.scrollWidth <= innerWidth ? [] : \
    [...document.querySelectorAll('body *')].filter((it) => it.getBoundingClientRect().right > innerWidth + 1) \
    .slice(0, 5).map((it) => it.outerHTML.slice(0, 120))";

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
        "/app/conversations",
        &conversation,
        &with_input,
        &failed,
        &picture,
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
    for path in ["/app", "/app/billing", &again, "/app/billing/early-start"] {
        fits(&window, path).await;
    }

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
    browser.close().await;
    app.finish().await;
}

async fn fits(window: &Window, path: &str) {
    for screen in [Screen::Desk, Screen::SmallPhone, Screen::Phone] {
        window.switch(screen).await;
        window.open(path).await;
        let wide = window.read(WIDER_THAN_THE_SCREEN).await;
        assert_eq!(wide, Value::Array(Vec::new()), "{path} on {screen:?}");
    }
    assert_fits(window, path).await;
}

async fn assert_fits(window: &Window, what: &str) {
    assert_eq!(window.read(WIDER_THAN_THE_SCREEN).await, Value::Array(Vec::new()), "{what}");
    assert_eq!(window.read(TOO_SMALL).await, Value::Array(Vec::new()), "{what}");
}
