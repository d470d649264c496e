//! From the dashboard through a checkout to a picture, as a person goes.

use crate::support::{Browser, Screen, Scripts, TestApp};

/// F17: a person sees that the plan is not active, pays at the processor's page, comes back, sees it turn active by
/// itself, and makes a picture that the plan pays.
#[tokio::test]
async fn a_person_pays_and_draws() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Phone, Scripts::On).await;
    window.sign_in("dee").await;
    window.open("/app").await;
    window.click("main a[href='/app/billing']").await;
    window.click("#pay form button").await;
    window.until("the invoice", "location.pathname.startsWith('/app/billing/invoices/')").await;
    let invoice = window.read("location.pathname").await.as_str().unwrap().to_owned();
    window.assert_quiet();

    let checkout = browser.window(Screen::Phone, Scripts::On).await;
    let address = app.invoice(&invoice).await.checkout_url.unwrap();
    checkout.open(&address).await;
    checkout.click("button[value=pay_lightning]").await;
    window.until("the plan to be paid", "document.querySelector('h1').textContent.includes('Paid')").await;
    assert!(window.read("!document.querySelector('[hx-trigger]')").await == true, "it asks no more");
    checkout.close().await;

    window.open("/app").await;
    window.until("an active plan", "document.body.textContent.includes('Active until')").await;
    window.open("/app/conversations").await;
    window.ask("a lighthouse at dusk").await;
    window.sees_pictures(1).await;
    app.idle().await;
    assert_eq!(app.story("dee").await.lines().last(), Some("quota: grant 100 / hold -1 / capture -1"));
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}
