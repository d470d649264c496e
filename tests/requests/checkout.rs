//! The page to pay at: what to send and where, what it says in every state, and the link that needs no account.

use chrono::{DateTime, TimeDelta, Utc};
use nproxy::models::invoices::{self, links};
use reqwest::Method;
use sandbox::{Amount, Webhooks, btcpay::Way};

use crate::support::{Answer, Html, Person, Setup, TestApp, eventually};

async fn quiet() -> TestApp {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sandbox.btcpay().courier().webhooks(Webhooks::Off);
    app
}

async fn apply(app: &TestApp, path: &str) {
    invoices::apply(&app.ctx, app.invoice(path).await.id).await.unwrap();
}

async fn poll(person: &Person, path: &str, tag: &str) -> Answer {
    person.send(person.request(Method::GET, path).header("hx-request", "true").header("hx-ptag", tag)).await
}

/// The path of an invoice's signed link.
async fn link(app: &TestApp, path: &str) -> String {
    let link = links::link(&app.ctx, &app.invoice(path).await).unwrap();
    link.strip_prefix(&app.url).unwrap().to_owned()
}

/// What the invoice says under this name, once if at all.
fn fact(page: &Html, name: &str) -> Vec<String> {
    let all = page.texts("dl dt").into_iter().zip(page.texts("dl dd"));
    all.filter(|(known, _)| known == name).map(|(_, value)| value).collect()
}

async fn set_times(app: &TestApp, created: DateTime<Utc>, expires: DateTime<Utc>) {
    app.set_time("invoices", "created_at", created, "1 = 1").await;
    app.set_time("invoices", "expires_at", expires, "1 = 1").await;
}

/// F17: the page says what to send, how much and where, twice over which network, with a code to scan from our own origin
/// and a link for the wallet; all of it as text that can be marked without JavaScript.
#[tokio::test]
async fn the_page_tells_what_to_send() {
    let app = quiet().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let page = ada.get(&path).await.html();
    let invoice = app.invoice(&path).await;
    let told = invoice.methods();
    assert_eq!(page.texts(".method summary .font-semibold"), ["Lightning", "Bitcoin network"], "the cheapest first");
    assert_eq!(page.attributes(".method[open]", "id"), ["method-BTC-LN"]);
    for method in &told {
        let card = format!("#method-{}", method.id);
        let amount = format!("{card} #amount-{}", method.id);
        assert_eq!(page.texts(&amount), std::slice::from_ref(&method.due), "a wallet takes no unit");
        assert_eq!(page.texts(&format!("{card} p:has(code)"))[0], format!("{} BTC", method.due));
        assert_eq!(page.texts(&format!("{card} #address-{}", method.id)), std::slice::from_ref(&method.destination));
        assert_eq!(page.attributes(&format!("{card} [data-copy]"), "data-copy").len(), 2);
        assert_eq!(page.attribute(&format!("{card} a.btn"), "href"), method.payment_link.clone().unwrap());
        assert!(page.texts(&card)[0].matches(&method.network).count() >= 2, "{}", page.texts(&card)[0]);
        let code = ada.get(&page.attribute(&format!("{card} img"), "src")).await;
        assert_eq!((code.status, code.header("content-type")), (200, "image/svg+xml"));
        assert!(code.body.starts_with("<svg ") && code.body.contains("#fff"), "{}", code.body);
    }
    assert!(page.attributes("main img", "src").iter().all(|src| src.starts_with(&path)), "our own origin");
    let text = page.text();
    for words in ["Exchanges take their fee out of the amount", "You can close this page", "Scan, or copy"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(page.has("noscript") && !text.contains("Pay before 1"));
    let names = page.texts("main dl dt");
    assert_eq!(names, ["Invoice", "For", "Price", "To send", "Rate", "Way to pay", "Made on", "Pay before"]);
    assert_eq!(fact(&page, "To send"), [format!("{} BTC by Lightning or Bitcoin", told[0].due)]);
    assert_eq!(fact(&page, "Rate"), ["1 BTC = 65000.00 USD"]);
    assert!(page.has("main p a[href='/terms']"));
    assert_eq!(ada.get(&format!("{path}/qr?way=DOGE")).await.status, 404);

    let eve = app.sign_in("eve").await;
    assert_eq!(eve.get(&format!("{path}/qr")).await.status, 404, "nor is the code anybody else's");
    let other = app.bill(&eve, "nowpayments").await;
    let page = eve.get(&other).await.html();
    assert!(!page.has(".method") && page.text().contains("you choose the coin and its network"));
    assert_eq!(page.attribute("main a.btn", "href"), app.invoice(&other).await.checkout_url.unwrap());
    assert_eq!(eve.get(&page.attribute("main img", "src")).await.status, 200);
    app.finish().await;
}

/// F17, F46: what was paid in part shows the rest and a new way to send it; too much and too late are said on the receipt.
#[tokio::test]
async fn part_more_and_late() {
    let app = quiet().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let reference = app.reference(&path).await;
    let server = app.sandbox.btcpay();
    let before = app.invoice(&path).await;
    let tag = ada.get(&path).await.html().attribute("[hx-trigger]", "hx-ptag");
    server.pay(&reference, Way::Lightning, Amount::Less).unwrap();
    apply(&app, &path).await;
    let fragment = poll(&ada, &path, &tag).await;
    assert_eq!(fragment.status, 200, "the page follows");
    let page = fragment.html();
    let (after, text) = (app.invoice(&path).await, page.text());
    assert!(after.paid_minor > 0 && after.rest_minor() > 0);
    let rest = format!("${}.{:02}", after.rest_minor() / 100, after.rest_minor() % 100);
    assert!(text.contains("A part of it arrived") && text.contains(&format!("Send the rest, {rest}")), "{text}");
    let (asked, due) = (&before.methods()[0].due, &after.methods()[0].due);
    assert_ne!(asked, due, "what is due now was asked for anew");
    assert_eq!(page.texts("#amount-BTC-CHAIN"), std::slice::from_ref(due));
    assert_eq!((fact(&page, "Still to pay").len(), fact(&page, "Transfers seen")), (1, vec!["1".to_owned()]));
    assert_eq!(fact(&page, "To send"), [format!("{due} BTC by Lightning or Bitcoin")]);

    server.pay(&reference, Way::Lightning, Amount::Due).unwrap();
    apply(&app, &path).await;
    let page = ada.get(&path).await.html();
    assert!(page.text().contains("Paid. Thank you") && page.texts("h2").contains(&"Receipt".to_owned()));
    assert!(!page.has(".method") && !page.has("[hx-trigger]"));
    assert_eq!(fact(&page, "Transfers seen"), ["2"]);
    assert_eq!(fact(&page, "In coin"), Vec::<String>::new(), "of two transfers nobody knows the sum");
    for (flag, words) in [("overpaid", "More than the price arrived"), ("late", "after the time was over")] {
        app.sql("UPDATE invoices SET overpaid = false, late = false").await;
        app.sql(&format!("UPDATE invoices SET {flag} = true")).await;
        assert!(ada.get(&path).await.html().text().contains(words), "{flag}");
    }
    app.finish().await;
}

/// F17: a receipt says in which coin the price was asked for, and at which rate, when one transfer brought it; what must be
/// agreed to stands where it is paid and not where it is over.
#[tokio::test]
async fn a_receipt_names_the_coin() {
    let app = quiet().await;
    let ada = app.sign_in("ada").await;
    assert!(ada.get("/app/billing").await.html().texts("#pay")[0].contains("you agree to the terms of service"));
    let path = app.bill(&ada, "btcpay").await;
    let asked = fact(&ada.get(&path).await.html(), "To send");
    app.pay_with_lightning(&path).await;
    apply(&app, &path).await;
    let receipt = ada.get(&path).await.html();
    assert!(receipt.text().contains("Paid. Thank you") && !receipt.has("main a[href='/terms']"));
    assert_eq!(fact(&receipt, "In coin"), asked);
    assert_eq!(fact(&receipt, "Rate"), ["1 BTC = 65000.00 USD"]);
    assert_eq!(fact(&receipt, "Transfers seen"), ["1"]);
    app.finish().await;
}

/// Receipts name whom they are for: the address, and what the person wants there beside it; nobody reads it by a link, and
/// it goes with the account.
#[tokio::test]
async fn a_receipt_names_whom_it_is_for() {
    let app = quiet().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let public = link(&app, &path).await;
    app.sandbox.btcpay().pay(&app.reference(&path).await, Way::Lightning, Amount::Due).unwrap();
    apply(&app, &path).await;
    assert_eq!(ada.get(&path).await.html().texts("#billed-to span:last-of-type"), ["ada@example.com"]);

    let form = ada.get("/app/billing/details").await.html().form("main form");
    let long = form.clone().fill("billed_to", &"A".repeat(501));
    let refused = ada.submit(&long).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.html().text().contains("Keep it to 500 characters on 10 lines")
            && refused.body.contains(&"A".repeat(501))
    );
    let many = ada.submit(&form.clone().fill("billed_to", &"A\n".repeat(11))).await;
    assert_eq!((many.status, app.count("SELECT COUNT(*) FROM users WHERE billed_to IS NOT NULL").await), (422, 0));

    let kept = ada.submit(&form.clone().fill("billed_to", " Ada & Daughters \r\n\r\n1 Sea\tRoad\r\n")).await;
    assert_eq!((kept.status, kept.location()), (303, "/app/billing?done=details".to_owned()));
    assert!(ada.get(&kept.location()).await.html().text().contains("Ada & Daughters"));
    let receipt = ada.get(&path).await;
    assert!(receipt.body.contains("Ada &amp; Daughters\n1 Sea Road\nada@example.com"), "{}", receipt.body);
    let open = app.visitor().get(&public).await;
    assert!(open.html().text().contains("Receipt") && !open.html().has("#billed-to"));
    assert!(!open.body.contains("Daughters") && !open.body.contains("ada@"));

    assert_eq!(ada.submit(&form.clone().fill("billed_to", "  ")).await.status, 303);
    assert_eq!(ada.get(&path).await.html().texts("#billed-to span:last-of-type"), ["ada@example.com"]);
    ada.submit(&form.fill("billed_to", "Ada")).await;
    assert_eq!(ada.post("/app/account/deletion", &[("password", "studio in a box")]).await.status, 200);
    assert_eq!(app.count("SELECT COUNT(*) FROM users WHERE billed_to IS NOT NULL").await, 0);
    app.finish().await;
}

/// F17: a clock shows only in the last quarter of the time to pay, and the page brings it by itself; when the time is over
/// the page says so at that second, with no job running, and one press makes a new invoice.
#[tokio::test]
async fn the_time_to_pay_ends() {
    let app = quiet().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let now = Utc::now();
    set_times(&app, now - TimeDelta::minutes(44), now + TimeDelta::minutes(16)).await;
    let page = ada.get(&path).await.html();
    let tag = page.attribute("[hx-trigger]", "hx-ptag");
    assert!(!page.has("[data-until]"));
    assert_eq!(poll(&ada, &path, &tag).await.status, 304);
    set_times(&app, now - TimeDelta::minutes(46), now + TimeDelta::minutes(14)).await;
    let fragment = poll(&ada, &path, &tag).await;
    assert_eq!(fragment.status, 200);
    assert!(fragment.html().has("[data-until]") && fragment.html().text().contains("Pay before "));
    let tag = fragment.html().attribute("[hx-trigger]", "hx-ptag");
    assert_eq!(poll(&ada, &path, &tag).await.status, 304, "the seconds are the browser's");

    set_times(&app, now - TimeDelta::minutes(60), now).await;
    let over = poll(&ada, &path, &tag).await.html();
    assert!(over.text().contains("The time to pay is over") && !over.has("[hx-trigger]") && !over.has("[data-until]"));
    assert_eq!(app.text("SELECT state FROM invoices").await, "new", "no job has been here");
    assert!(ada.get("/app/billing").await.html().texts("#invoices a")[0].starts_with("Expired"));
    let anew = ada.submit(&ada.get(&path).await.html().form("main form")).await;
    assert_eq!(anew.status, 303);
    assert_ne!(anew.location(), path);
    assert!(ada.get(&anew.location()).await.html().has(".method"));
    app.finish().await;
}

/// F17: the signed link opens its invoice on any device without a session, and nothing else of the account; it can be paid
/// from there, the page follows, and a new one can be made when its time is over.
#[tokio::test]
async fn an_invoice_by_its_link() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let public = link(&app, &path).await;
    let visitor = app.visitor();
    let answer = visitor.get(&public).await;
    let page = answer.html();
    assert_eq!(answer.status, 200);
    assert!(page.has(".method #amount-BTC-LN"));
    assert!(visitor.cookie().is_none(), "no session is made");
    for private in ["ada@example.com", "/app/billing", "free pictures left", "/app/account", "Log out"] {
        assert!(!answer.body.contains(private), "{private}");
    }
    assert_eq!(page.attribute("meta[name=robots]", "content"), "noindex");
    assert_eq!(visitor.get(&page.attribute(".method img", "src")).await.status, 200);
    assert_eq!(visitor.get("/app/billing").await.status, 303, "it signs nobody in");
    let tag = page.attribute("[hx-trigger]", "hx-ptag");
    assert_eq!(page.attribute("[hx-trigger]", "hx-get"), public);
    assert_eq!(poll(&visitor, &public, &tag).await.status, 304);
    assert_eq!(ada.get(&public).await.location(), path, "its owner sees it at home");
    let eve = app.sign_in("eve").await.get(&public).await;
    assert!(eve.status == 200 && !eve.body.contains("@example.com"), "nor is the address of who looks there");

    app.set_time("invoices", "expires_at", Utc::now(), "1 = 1").await;
    let over = visitor.get(&public).await.html();
    let anew = visitor.submit(&over.form("main form")).await;
    assert_eq!(anew.status, 303);
    let second = anew.location();
    assert!(second.starts_with("/pay/") && second != public);
    assert!(visitor.get(&second).await.html().has(".method"));
    let hers = ada.get("/app/billing").await.html().attributes("#invoices a", "href");
    assert_eq!(hers.len(), 2);
    app.pay_with_lightning(&hers[0]).await;
    let paid = eventually("the invoice to be paid", || async {
        let page = visitor.get(&second).await.html();
        page.text().contains("Paid. Thank you").then_some(page)
    })
    .await;
    assert!(paid.text().contains("Receipt") && !paid.has("main form"));
    app.idle().await;
    assert_eq!(app.months().await, 1);
    assert_eq!(visitor.post(&second, &[]).await.location(), second, "what is paid is not opened again");
    app.finish().await;
}

/// F17, F46: a link that was changed, that never was one, or whose owner is blocked, is a 404 that leads to the log-in; an
/// id alone opens nothing.
#[tokio::test]
async fn links_that_do_not_work() {
    let app = quiet().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let good = link(&app, &path).await;
    let mut changed = good.clone().into_bytes();
    let last = changed.len() - 3;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let pid = path.rsplit('/').next().unwrap();
    let bad = [String::from_utf8(changed).unwrap(), format!("/pay/{pid}"), "/pay/x".into(), format!("{good}AA")];
    for address in &bad {
        for method in [Method::GET, Method::POST] {
            let visitor = app.visitor();
            let answer = visitor.send(visitor.request(method, address).header("sec-fetch-site", "same-origin")).await;
            assert_eq!(answer.status, 404, "{address}");
            assert_eq!(answer.html().attribute("main a.btn", "href"), "/app/billing");
            assert!(answer.html().text().contains("Nothing was charged. Log in"));
        }
        assert_eq!(app.visitor().get(&format!("{address}/qr")).await.status, 404);
    }
    assert_eq!(app.visitor().get("/app/billing").await.location(), "/login?next=%2Fapp%2Fbilling");
    app.task("user_block", &[("email", "ada@example.com")]).await.unwrap();
    assert_eq!(app.visitor().get(&good).await.status, 404, "a blocked account pays for nothing");
    assert_eq!(app.count("SELECT COUNT(*) FROM invoices").await, 1);
    app.finish().await;
}
