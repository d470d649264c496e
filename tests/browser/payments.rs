//! From the dashboard through a checkout to a picture, as a person goes.

use sandbox::{Amount, btcpay::Way};

use crate::support::{Browser, Screen, Scripts, TestApp, eventually};

/// F17: a person sees that the plan is not active, pays at the processor's page, comes back, sees it turn active by
/// itself, and makes a picture that the plan pays. With a mouse and with a finger, and the page's own rules are kept.
#[tokio::test]
async fn a_person_pays_and_draws() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let browser = Browser::open(&app).await;
    for (screen, name) in [(Screen::Phone, "dee"), (Screen::Desk, "ada")] {
        let window = browser.stranger(screen, Scripts::On).await;
        window.sign_in(name).await;
        window.open("/app").await;
        window.click("main a[href='/app/billing']").await;
        window.click("#pay form button").await;
        window.until("the invoice", "location.pathname.startsWith('/app/billing/invoices/')").await;
        let invoice = window.read("location.pathname").await.as_str().unwrap().to_owned();
        let codes =
            "[...document.querySelectorAll('.method[open] img')].every((it) => it.complete && it.naturalWidth > 0)";
        window.until("the code to scan", codes).await;
        window.assert_quiet();

        let checkout = browser.window(screen, Scripts::On).await;
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
        let story = app.story(name).await;
        assert_eq!(story.lines().last(), Some("quota: grant 100 / hold -1 / capture -1"), "{story}");
        window.assert_quiet();
        window.close().await;
    }
    browser.close().await;
    app.finish().await;
}

/// F17: the same without JavaScript: the amount and the address are text, the code is a picture, the other way to pay
/// opens, and the page that looks again by itself says that the plan is active.
#[tokio::test]
async fn a_person_pays_without_scripts() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Phone, Scripts::Off).await;
    window.sign_in("dee").await;
    window.open("/app").await;
    window.click("main a[href='/app/billing']").await;
    window.click("#pay form button").await;
    window.until("the invoice", "location.pathname.startsWith('/app/billing/invoices/')").await;
    let invoice = window.read("location.pathname").await.as_str().unwrap().to_owned();
    window.sees("#amount-BTC-LN").await;
    assert!(
        window.read("[...document.querySelectorAll('[data-copy]')].every((it) => !it.checkVisibility())").await == true
    );
    window.click("#method-BTC-CHAIN summary").await;
    window.sees("#address-BTC-CHAIN").await;
    assert!(window.read("!!document.querySelector('noscript')").await == true);

    app.pay_with_lightning(&invoice).await;
    eventually("the month", || async { (app.months().await == 1).then_some(()) }).await;
    window.open(&invoice).await;
    window.until("the receipt", "document.querySelector('h1').textContent.includes('Paid')").await;
    window.open("/app/conversations").await;
    window.ask("a lighthouse at dusk").await;
    window.sees_pictures(1).await;
    app.idle().await;
    assert_eq!(app.story("dee").await.lines().last(), Some("quota: grant 100 / hold -1 / capture -1"));
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}

/// F17: one press takes the amount or the address along, and says so; the way that somebody chose stays open when a part
/// of the money arrives and the rest is shown.
#[tokio::test]
async fn what_to_send_is_copied() {
    let app = TestApp::start().await;
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Phone, Scripts::On).await;
    window.sign_in("ada").await;
    let invoice = app.bill(&app.sign_in("ada").await, "btcpay").await;
    window.open(&invoice).await;
    for part in ["amount", "address"] {
        window.click(&format!("[data-copy='#{part}-BTC-LN']")).await;
        let says = format!("document.querySelector(\"[data-copy='#{part}-BTC-LN']\").textContent.includes('Copied')");
        window.until("the button to say so", &says).await;
    }
    window.click("#method-BTC-CHAIN summary").await;
    window.sees("#address-BTC-CHAIN").await;
    let due = window.texts("#amount-BTC-CHAIN").await;
    app.sandbox.btcpay().pay(&app.reference(&invoice).await, Way::Lightning, Amount::Less).unwrap();
    window.until("the rest", "document.querySelector('h1').textContent.includes('A part of it arrived')").await;
    window
        .until("the new amount", &format!("document.querySelector('#amount-BTC-CHAIN').textContent !== '{}'", due[0]))
        .await;
    assert!(window.read("document.querySelector('#method-BTC-CHAIN').open").await == true);
    assert!(window.read("document.querySelector('#method-BTC-LN').open").await == false);
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}
