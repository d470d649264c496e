//! A person pays and gets a month: the pages from the plan to the receipt.

use chrono::{TimeDelta, Utc};
use nproxy::{
    mailers::billing::deliver,
    models::{
        activities::Actor,
        allowances,
        notifications::{self, Channel, Kind, Notice},
    },
};
use reqwest::Method;
use sandbox::{Amount, Spoil, Webhooks, btcpay::Way};
use serde_json::json;

use crate::support::{Answer, Html, Person, Setup, TestApp, eventually};

async fn poll(person: &Person, path: &str, tag: &str) -> Answer {
    person.send(person.request(Method::GET, path).header("hx-request", "true").header("hx-ptag", tag)).await
}

async fn paid(person: &Person, path: &str) -> Html {
    eventually("the invoice to be paid", || async {
        let page = person.get(path).await.html();
        page.text().contains("Paid. Thank you").then_some(page)
    })
    .await
}

/// So much of a month of a hundred is left.
async fn leave(app: &TestApp, name: &str, left: i64) {
    let month = "SELECT MAX(id) FROM allowances WHERE kind = 'quota'";
    let user = app.user(name).await.id;
    let id = app.count(&format!("{month} AND user_id = {user}")).await;
    let now = app.count(&format!("SELECT available FROM allowances WHERE id = {id}")).await;
    if now != left {
        allowances::adjust_by_hand(&app.ctx, id, left - now, "for the test", &Actor::Cli).await.unwrap();
    }
}

async fn give(app: &TestApp, name: &str, amount: &str) {
    let email = format!("{name}@example.com");
    app.task("grant", &[("email", &email), ("kind", "quota"), ("amount", amount)]).await.unwrap();
}

/// F14: every page shows what is left in steps of twenty; the dashboard says until when the plan runs, what is left in steps of twenty, and what happens next.
#[tokio::test]
async fn the_dashboard_shows_steps_and_dates() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    give(&app, "dee", "100").await;
    let dee = app.sign_in("dee").await;
    let mut shown = Vec::new();
    for left in [100, 81, 80, 61, 60, 41, 40, 21, 20, 1, 0] {
        leave(&app, "dee", left).await;
        let page = dee.get("/app").await.html();
        let percent = page.attribute("main progress", "value");
        let words = if left == 0 { "nothing left".to_owned() } else { format!("about {percent} % left") };
        let text = page.text();
        assert!(text.contains("Active until ") && text.contains(&words), "{left}: {text}");
        for path in ["/app/billing", "/app/conversations", "/app/account"] {
            let other = dee.get(path).await.html();
            let chip = other.texts("#allowance")[0].to_lowercase();
            assert_eq!(chip, words, "{path}");
            assert!(other.attribute("#allowance", "title").starts_with("Counts until "), "with its date");
            if path == "/app/billing" {
                assert_eq!(other.attribute("main progress", "value"), percent);
            }
        }
        shown.push(percent.parse::<i64>().unwrap());
    }
    assert_eq!(shown, [100, 100, 80, 80, 60, 60, 40, 40, 20, 20, 0]);
    assert!(dee.get("/app").await.html().text().contains("Pay for another one and it begins at once, in full."));
    leave(&app, "dee", 40).await;
    assert!(dee.get("/app").await.html().text().contains("Pay for the next month now and it begins on "));
    let eve = app.sign_in("eve").await.get("/app").await.html();
    assert!(eve.text().contains("Not active.") && eve.text().contains("Nothing renews by itself."));
    app.finish().await;
}

/// F16: there is one plan, with its price, and a button for each way to pay.
#[tokio::test]
async fn one_plan_is_on_offer() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let page = app.sign_in("ada").await.get("/app/billing").await.html();
    assert_eq!(page.0.matches("$9.99 a month").count(), 1);
    assert_eq!(page.0.matches("a month</span>").count(), 1);
    let ways = page.attributes("form[action='/app/billing/invoices'] [name=processor]", "value");
    assert_eq!(ways, ["btcpay", "nowpayments"]);
    assert!(page.texts("#pay button").iter().all(|label| label.starts_with("Pay with crypto")));
    let unknown = app.sign_in("ada").await.post("/app/billing/invoices", &[("processor", "piggybank")]).await;
    assert_eq!(unknown.status, 422);
    assert_eq!(app.count("SELECT COUNT(*) FROM invoices").await, 0);
    app.finish().await;
}

/// F17: from the button to an active plan at `BTCPay`: the right amount is asked for, coming back proves nothing, the page
/// follows by polling, and one receipt is mailed.
#[tokio::test]
async fn a_month_is_bought_with_bitcoin() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let asked = app.sandbox.btcpay().invoices();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].minor, asked[0].currency.as_str()), (999, "USD"));
    assert!(path.ends_with(asked[0].order_id().unwrap()), "the order id is the invoice's own");

    let page = ada.get(&path).await.html();
    let checkout = page.attributes("main details a.link", "href");
    assert!(checkout.contains(&format!("{}/i/{}", app.sandbox.url(), asked[0].id)), "{checkout:?}");
    assert!(page.text().contains("Waiting for your payment") && page.0.contains("http-equiv=\"refresh\""));
    let tag = page.attribute("[hx-trigger]", "hx-ptag");
    assert_eq!(poll(&ada, &path, &tag).await.status, 304);
    assert_eq!(app.months().await, 0, "coming back proves nothing");

    let server = app.sandbox.btcpay();
    server.pay(&asked[0].id, Way::Chain, Amount::Due).unwrap();
    eventually("the payment to be seen", || async {
        poll(&ada, &path, &tag).await.body.contains("Your payment was seen").then_some(())
    })
    .await;
    assert_eq!(app.months().await, 0, "seen is not paid");
    server.confirm(&asked[0].id);
    let page = paid(&ada, &path).await;
    assert!(!page.has("[hx-trigger]") && !page.has(".method") && !page.0.contains("http-equiv"), "it asks no more");
    let last = poll(&ada, &path, &tag).await;
    assert!(last.html().has("#allowance") && !last.body.contains("<html"));
    assert!(page.text().contains("Paid on") && page.text().contains("$9.99"));
    assert!(ada.get("/app").await.html().text().contains("about 100 % left"));

    let mail = app.mail("ada@example.com", 1).await;
    assert!(mail.links().iter().any(|link| link.ends_with(&path)), "{mail:?}");
    assert_eq!(app.months().await, 1);
    let listed = ada.get("/app/billing").await.html().texts("#invoices a");
    assert!(listed[0].contains("Paid · $9.99"), "{listed:?}");
    app.finish().await;
}

/// F17: the same at `NOWPayments`, where the payment appears when a coin is chosen.
#[tokio::test]
async fn a_month_is_bought_with_another_coin() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "nowpayments").await;
    let merchant = app.sandbox.nowpayments();
    let invoice = merchant.invoices().remove(0);
    assert_eq!((invoice.minor, invoice.order_id.as_deref()), (999, path.rsplit('/').next()));
    let payment = merchant.choose(invoice.id).unwrap();
    merchant.pay(payment, Amount::Due).unwrap();
    merchant.finish(payment);
    paid(&ada, &path).await;
    app.mail("ada@example.com", 1).await;
    assert_eq!(app.months().await, 1);
    app.finish().await;
}

/// F17: however often one presses, at once and again, there is one invoice with one checkout; another way to pay closes
/// the untouched one, which still counts when it is paid after all.
#[tokio::test]
async fn one_open_invoice() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let press = || ada.post("/app/billing/invoices", &[("processor", "btcpay")]);
    let answers = futures::future::join_all((0..10).map(|_| press())).await;
    let first = answers[0].location();
    assert!(answers.iter().all(|answer| answer.status == 303 && answer.location() == first));
    assert_eq!(press().await.location(), first);
    assert_eq!(app.count("SELECT COUNT(*) FROM invoices").await, 1);
    assert_eq!(app.sandbox.btcpay().invoices().len(), 1);

    let second = app.bill(&ada, "nowpayments").await;
    assert_ne!(second, first);
    assert!(ada.get(&first).await.html().text().contains("This invoice is closed"));
    app.pay_with_lightning(&first).await;
    paid(&ada, &first).await;
    assert_eq!(app.months().await, 1);
    app.idle().await;
    app.finish().await;
}

/// F17: who changes their mind all the time has to wait a while, and keeps the invoice that is open.
#[tokio::test]
async fn so_many_invoices_an_hour() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    for n in 0..10 {
        app.bill(&ada, ["btcpay", "nowpayments"][n % 2]).await;
    }
    let refused = ada.post("/app/billing/invoices", &[("processor", "btcpay")]).await;
    assert_eq!(refused.status, 429);
    assert!(refused.html().text().contains("Nothing was charged"));
    assert_eq!(app.count("SELECT COUNT(*) FROM invoices WHERE state = 'new'").await, 1);
    app.bill(&ada, "nowpayments").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM invoices").await, 10);
    app.finish().await;
}

/// F17: a create whose answer was lost is searched for before it is repeated; while the processor is away nothing is
/// charged, and the page says so.
#[tokio::test]
async fn a_lost_answer_makes_no_second_checkout() {
    // Without jobs: the processor's own news of the checkout would find it before anybody looks.
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    app.sandbox.btcpay().troubles().act_and_fail(Spoil::Reset);
    let path = app.bill(&ada, "btcpay").await;
    let page = ada.get(&path).await.html().text();
    assert!(page.contains("The payment service does not answer"), "{page}");
    assert_eq!(app.sandbox.btcpay().invoices().len(), 1, "it was created all the same");
    assert_eq!(app.bill(&ada, "btcpay").await, path);
    assert_eq!(app.sandbox.btcpay().invoices().len(), 1);
    assert_eq!(app.reference(&path).await, app.sandbox.btcpay().invoices()[0].id);
    app.work();
    app.pay_with_lightning(&path).await;
    paid(&ada, &path).await;

    app.sandbox.btcpay().troubles().fail(Spoil::Status { code: 502 });
    let eve = app.sign_in("eve").await;
    let hers = app.bill(&eve, "btcpay").await;
    assert!(eve.get(&hers).await.html().has("form[action='/app/billing/invoices'] button"), "one can try again");
    app.sandbox.btcpay().troubles().heal();
    assert_eq!(app.bill(&eve, "btcpay").await, hers);
    assert!(eve.get(&hers).await.html().has("main a.btn"));
    app.idle().await;
    app.finish().await;
}

/// F46: all states are told in plain words, and somebody else's invoice is not there.
#[tokio::test]
async fn invoices_are_listed_for_their_owner() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sandbox.btcpay().courier().webhooks(Webhooks::Off);
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    let path = app.bill(&ada, "btcpay").await;
    for (state, words) in [
        ("new", "Waiting for payment"),
        ("pending", "Seen, being confirmed"),
        ("confirming", "Seen, being confirmed"),
        ("underpaid", "Paid in part"),
        ("expired", "Expired"),
        ("canceled", "Canceled"),
    ] {
        app.sql(&format!("UPDATE invoices SET state = '{state}'")).await;
        assert!(ada.get("/app/billing").await.html().texts("#invoices a")[0].starts_with(words), "{state}");
        assert_eq!(ada.get(&path).await.status, 200);
    }
    for (state, words) in [("paid", "Paid"), ("refunded", "Refunded")] {
        app.sql(&format!("UPDATE invoices SET state = '{state}', paid_at = created_at, paid_minor = price_minor"))
            .await;
        let line = ada.get("/app/billing").await.html().texts("#invoices a").remove(0);
        assert!(line.starts_with(&format!("{words} · $9.99")), "{line}");
        let receipt = ada.get(&path).await.html();
        assert!(receipt.texts("main h2").contains(&"Receipt".to_owned()) && !receipt.has("main form"), "{state}");
    }
    let foreign = eve.get(&path).await;
    let absent = eve.get("/app/billing/invoices/019aa000-0000-7000-8000-000000000000").await;
    assert_eq!((foreign.status, absent.status), (404, 404));
    assert_eq!(foreign.without_reference(), absent.without_reference());
    assert!(!eve.get("/app/billing").await.html().has("#invoices"));
    app.finish().await;
}

/// F70, F15: every movement of free pictures and tokens is listed with what was left behind it, newest first, in pages that
/// go on where the last one ended; of a monthly plan the moment and the reason alone. It is nobody else's.
#[tokio::test]
async fn what_came_and_went() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("two boats", &[("batch_size", "2")]).await;
    let run = ada.get(&conversation).await.html().attribute("[id^=run-]", "id");
    ada.post(&format!("/app/runs/{}/cancellation", &run["run-".len()..]), &[]).await;
    let email = ("email", "ada@example.com");
    for (kind, amount) in [("tokens", "1200"), ("quota", "97"), ("tokens", "300")] {
        app.task("grant", &[email, ("kind", kind), ("amount", amount)]).await.unwrap();
    }
    let month = app.count("SELECT id FROM allowances WHERE granted = 97").await;
    let tokens = app.count("SELECT id FROM allowances WHERE granted = 1200").await;
    for (id, by) in [(month, -24), (tokens, -200)] {
        allowances::adjust_by_hand(&app.ctx, id, by, "73 are enough", &Actor::Cli).await.unwrap();
    }
    let newest = ada.get("/app/billing").await.html().attribute("main a[href^='/app/billing/history']", "href");
    let page = ada.get(&newest).await.html();
    let reasons = [
        "Taken off by us",
        "Taken off by us",
        "Tokens were added",
        "A month was added",
        "Tokens were added",
        "What was not made came back",
        "Pictures were ordered",
        "To try the studio with",
    ];
    let numbers = [
        "\u{2212}200 1,300 left",
        "+300 1,500 left",
        "+1,200 1,200 left",
        "+2 3 left",
        "\u{2212}2 1 left",
        "+3 3 left",
    ];
    assert_eq!(page.texts("#movements li > p:first-child > .font-medium"), reasons);
    assert_eq!(page.texts("#movements .tabular-nums"), numbers);
    assert!(!page.text().contains("97") && !page.text().contains("73"), "{}", page.text());
    assert_eq!(page.attributes("nav[aria-label=Pages] a", "href"), ["/app/billing"]);

    for _ in 0..60 {
        allowances::adjust_by_hand(&app.ctx, tokens, 1, "for the test", &Actor::Cli).await.unwrap();
    }
    let first = ada.get(&newest).await.html();
    let second = ada.get(&first.attribute("nav[aria-label=Pages] a.ml-auto", "href")).await.html();
    let all = [first.texts("#movements .tabular-nums"), second.texts("#movements .tabular-nums")].concat();
    let added = (1..=60).rev().map(|n| format!("+1 1,{} left", 300 + n));
    assert_eq!(all, added.chain(numbers.map(str::to_owned)).collect::<Vec<_>>());
    assert_eq!((first.texts("#movements li").len(), second.texts("#movements li").len()), (50, 18));
    assert_eq!(second.attributes("nav[aria-label=Pages] a", "href"), ["/app/billing/history"]);

    assert_eq!(ada.get("/app/billing/history?before=soon").await.html().texts("#movements li").len(), 50);
    assert!(!app.sign_in("eve").await.get("/app/billing/history").await.body.contains("Tokens"));
    app.finish().await;
}

/// A month that runs low is told of once, when the picture that makes it so is paid for, in steps and not in numbers; one
/// that is used up at once is told to be.
#[tokio::test]
async fn a_month_that_runs_low_is_told_once() {
    let app = TestApp::start().await;
    for (name, granted) in [("ada", "10"), ("eve", "1")] {
        give(&app, name, granted).await;
    }
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    leave(&app, "ada", 4).await;
    ada.make("a boat", &[]).await;
    app.idle().await;
    assert!(app.sandbox.mail().to("ada@example.com").is_empty(), "40 % are not little");

    ada.make("a harbour", &[]).await;
    let mail = app.mail("ada@example.com", 1).await;
    assert_eq!(mail.subject, "Your nproxy month is running low");
    let link = format!("{}/app/billing", app.url);
    for part in [&mail.text, &mail.html] {
        for words in ["About 20 % of your month is left.", "the only mail about it", link.as_str()] {
            assert!(part.contains(words), "{words}: {part}");
        }
    }
    leave(&app, "ada", 4).await;
    for prompt in ["a lighthouse", "a pier", "a gull"] {
        ada.make(prompt, &[]).await;
    }
    app.mail("ada@example.com", 1).await;

    eve.make("a hill", &[]).await;
    let mail = app.mail("eve@example.com", 1).await;
    assert_eq!(mail.subject, "Your nproxy month is used up");
    assert!(mail.text.contains("It begins as soon as it is paid"), "{}", mail.text);
    app.finish().await;
}

/// When the mail is sent late, a month that was filled up or is over by then leaves nothing to say.
#[tokio::test]
async fn a_month_that_is_low_no_more_is_not_told() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    give(&app, "ada", "10").await;
    leave(&app, "ada", 2).await;
    let month = app.count("SELECT id FROM allowances WHERE granted = 10").await;
    let notice = Notice {
        kind: Kind::QuotaLow,
        dedupe_key: format!("quota_low:{month}"),
        channel: Channel::Mail,
        user_id: Some(app.user("ada").await.id),
        recipient: None,
        detail: json!({ "month": month }),
    };
    let notice = notifications::once(&app.ctx.db, notice).await.unwrap().unwrap();
    let is_told = async || deliver(&app.ctx, &notice).await.unwrap();
    assert!(is_told().await);
    leave(&app, "ada", 10).await;
    assert!(!is_told().await, "filled up");
    leave(&app, "ada", 2).await;
    app.set_time("allowances", "expires_at", Utc::now() - TimeDelta::seconds(1), &format!("id = {month}")).await;
    assert!(!is_told().await, "over");
    assert_eq!(app.sandbox.mail().to("ada@example.com").len(), 1);
    app.finish().await;
}
