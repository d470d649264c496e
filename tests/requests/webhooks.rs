//! Webhooks, however often, late, forged or missing: each truly paid invoice is one month.

use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use hmac::{Hmac, Mac};
use nproxy::models::{
    activities::Actor,
    alerts, doctor,
    invoices::{self, Applied, Marking, Refunding, State},
};
use sandbox::{
    Amount, Spoil, Trouble, Webhooks,
    btcpay::{WEBHOOK_SECRET, Way},
    nowpayments::{IPN_SECRET, PaymentStatus},
};
use sha2::Sha512;

use crate::support::{Setup, TestApp, eventually, is_postgres};

/// Nothing is told by itself.
async fn silent() -> TestApp {
    let app = TestApp::start().await;
    app.sandbox.btcpay().courier().webhooks(Webhooks::Off);
    app.sandbox.nowpayments().courier().webhooks(Webhooks::Off);
    app
}

async fn due(app: &TestApp) {
    app.set_time("invoices", "next_poll_at", Utc::now() - TimeDelta::seconds(1), "next_poll_at IS NOT NULL").await;
}

/// What admins are to look at about payments, in the order of the alphabet.
async fn alarms(app: &TestApp) -> Vec<String> {
    let open = alerts::open(&app.ctx.db, Some(alerts::Kind::Payment)).await.unwrap();
    let mut subjects: Vec<_> = open.into_iter().map(|alert| alert.subject).collect();
    subjects.sort();
    subjects
}

async fn alarmed(app: &TestApp, expected: &[String]) {
    eventually(&format!("{expected:?}"), || async { (alarms(app).await == expected).then_some(()) }).await;
}

/// A notification as `NOWPayments` sends it; the names in it are in the order of the alphabet.
async fn notify(app: &TestApp, body: String) -> u16 {
    let mac = Hmac::<Sha512>::new_from_slice(IPN_SECRET.as_bytes()).unwrap().chain_update(&body);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{}/webhooks/nowpayments", app.url)).header("x-nowpayments-sig", signature);
    request.body(body).send().await.unwrap().status().as_u16()
}

/// F18: twenty deliveries at once, the poller and "check again" beside them: one month, one receipt.
#[tokio::test]
async fn one_invoice_is_one_month() {
    let app = silent().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let invoice = app.invoice(&path).await;
    let reference = invoice.processor_ref.clone().unwrap();
    app.pay_with_lightning(&path).await;
    due(&app).await;

    let names: Vec<_> = (0..20).map(|n| format!("delivery{n}")).collect();
    let deliveries = join_all(names.iter().enumerate().map(|(n, name)| {
        // Half of them say something else, so that not all are known again by what they say.
        let kind = if n % 2 == 0 { "InvoiceSettled" } else { "InvoiceProcessing" };
        app.deliver(name, kind, &reference, WEBHOOK_SECRET)
    }));
    let looks = join_all((0..4).map(|_| invoices::poll(&app.ctx)));
    let again = join_all((0..4).map(|_| invoices::apply(&app.ctx, invoice.id)));
    let (answers, looks, again) = futures::join!(deliveries, looks, again);

    assert_eq!(answers, [200; 20]);
    assert!(looks.iter().all(Result::is_ok) && again.iter().all(Result::is_ok), "{looks:?} {again:?}");
    app.idle().await;
    assert_eq!(app.months().await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM notifications WHERE kind = 'receipt'").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM payment_events").await, 11, "ten that differ, and one settlement");
    app.mail("ada@example.com", 1).await;
    assert_eq!(app.deliver("delivery0", "InvoiceSettled", &reference, WEBHOOK_SECRET).await, 200, "weeks later");
    app.idle().await;
    assert_eq!(app.months().await, 1);
    app.finish().await;
}

/// F19: a wrong signature is 401 and changes nothing, an unknown invoice is 200 and ignored, a lying one is looked up,
/// too much is 413.
#[tokio::test]
async fn bad_webhooks_are_ignored() {
    let app = silent().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let reference = app.reference(&path).await;

    assert_eq!(app.deliver("a", "InvoiceSettled", &reference, "another secret").await, 401);
    assert_eq!(app.post_webhook("btcpay", "{}".into(), WEBHOOK_SECRET).await, 401);
    assert_eq!(app.post_webhook("nowpayments", "{}".into(), WEBHOOK_SECRET).await, 401);
    assert_eq!(app.post_webhook("btcpay", "x".repeat(64 * 1024 + 1), WEBHOOK_SECRET).await, 413);
    assert_eq!(app.count("SELECT COUNT(*) FROM payment_events").await, 0);
    assert_eq!(app.deliver("b", "InvoiceSettled", "Nobodys1", WEBHOOK_SECRET).await, 200);
    assert_eq!(app.count("SELECT COUNT(*) FROM jobs WHERE class = 'ApplyPayment'").await, 0);
    assert_eq!(app.deliver("c", "InvoiceSettled", &reference, WEBHOOK_SECRET).await, 200);
    app.idle().await;
    assert_eq!((app.invoice(&path).await.state.as_str(), app.months().await), ("new", 0), "signed, but not so");

    // The processor's invoice is for less than ours.
    app.sql("UPDATE invoices SET price_minor = 1999").await;
    app.pay_with_lightning(&path).await;
    assert_eq!(app.deliver("d", "InvoicePaymentSettled", &reference, WEBHOOK_SECRET).await, 200);
    app.idle().await;
    assert_eq!((app.invoice(&path).await.state.as_str(), app.months().await), ("new", 0));
    app.finish().await;
}

/// F19: forged `NOWPayments` notifications are 401; what it takes back before anything was paid gives nothing.
#[tokio::test]
async fn forged_notifications_are_ignored() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "nowpayments").await;
    let merchant = app.sandbox.nowpayments();
    let payment = merchant.choose(merchant.invoices()[0].id).unwrap();
    merchant.courier().idle(std::time::Duration::from_secs(10)).await;
    merchant.forge(payment, PaymentStatus::Finished, "another secret");
    eventually("the forgery", || async {
        merchant.courier().attempts().iter().any(|it| it.status == Some(401)).then_some(())
    })
    .await;
    merchant.forge(payment, PaymentStatus::Finished, IPN_SECRET);
    app.idle().await;
    assert_eq!((app.invoice(&path).await.state.as_str(), app.months().await), ("new", 0));
    app.abandon().await;
}

/// F19: half of the price is no month, and the page says how to go on; one percent less than the price is the price.
#[tokio::test]
async fn too_little_and_nearly_enough() {
    let app = silent().await;
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    let (half, nearly) = (app.bill(&ada, "btcpay").await, app.bill(&eve, "btcpay").await);
    let server = app.sandbox.btcpay();
    for (path, thousandths) in [(&half, 500), (&nearly, 992)] {
        let reference = app.reference(path).await;
        let sats = server.invoice(&reference).unwrap().price_sats() * thousandths / 1000;
        server.pay(&reference, Way::Chain, Amount::Sats(sats)).unwrap();
        server.confirm(&reference);
        invoices::apply(&app.ctx, app.invoice(path).await.id).await.unwrap();
    }
    let page = ada.get(&half).await.html();
    assert!(page.text().contains("$4.99 of $9.99 arrived.") && page.has("main a.btn"), "{}", page.text());
    assert_eq!(app.invoice(&nearly).await.state, "paid");
    assert_eq!(app.months().await, 1);

    // When the time is over the rest still counts, and meanwhile the person is free to start anew.
    app.set_time("invoices", "expires_at", Utc::now() - TimeDelta::seconds(1), "state = 'underpaid'").await;
    due(&app).await;
    invoices::poll(&app.ctx).await.unwrap();
    let page = ada.get(&half).await.html();
    assert!(page.text().contains("$4.99 of $9.99 arrived. It is not lost"), "{}", page.text());
    assert_ne!(app.bill(&ada, "btcpay").await, half);
    app.pay_with_lightning(&half).await;
    invoices::apply(&app.ctx, app.invoice(&half).await.id).await.unwrap();
    assert_eq!(app.invoice(&half).await.state, "paid", "the rest at the same checkout");
    assert_eq!(app.months().await, 2);
    app.idle().await;
    app.finish().await;
}

/// F20: with every webhook lost, the poller and the reconciliation find what was paid, late money too; what is paid here
/// and not there is reported and left alone.
#[tokio::test]
async fn lost_webhooks_are_made_up_for() {
    let app = silent().await;
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    let (first, second) = (app.bill(&ada, "btcpay").await, app.bill(&eve, "nowpayments").await);
    app.pay_with_lightning(&first).await;
    due(&app).await;
    app.task("invoice_poll", &[]).await.unwrap();
    assert_eq!(app.invoice(&first).await.state, "paid");

    let merchant = app.sandbox.nowpayments();
    let payment = merchant.choose(merchant.invoices()[0].id).unwrap();
    merchant.pay(payment, Amount::Due).unwrap();
    merchant.finish(payment);
    app.set_time("invoices", "next_poll_at", Utc::now() + TimeDelta::days(1), "next_poll_at IS NOT NULL").await;
    app.task("invoice_reconcile", &[]).await.unwrap();
    assert_eq!((app.invoice(&second).await.state.as_str(), app.months().await), ("paid", 2));

    app.sandbox.btcpay().mark(&app.reference(&first).await, false);
    // What its own webhook has brought about does not hide it from the comparison.
    let applied = invoices::apply(&app.ctx, app.invoice(&first).await.id).await.unwrap();
    assert_eq!((applied, app.invoice(&first).await.marked), (Applied::Stands(State::Paid, false), false));
    let alarm = app.task("invoice_reconcile", &[]).await.unwrap_err().to_string();
    assert!(alarm.contains("1 things to look at"), "{alarm}");
    assert_eq!(
        (app.invoice(&first).await.state.as_str(), app.months().await),
        ("paid", 2),
        "nobody loses a month by it"
    );

    let dee = app.sign_in("dee").await;
    let late = app.bill(&dee, "btcpay").await;
    let reference = app.reference(&late).await;
    app.sandbox.btcpay().expire(&reference);
    due(&app).await;
    app.task("invoice_poll", &[]).await.unwrap();
    assert!(dee.get(&late).await.html().text().contains("The time to pay is over"));
    app.sandbox.btcpay().pay(&reference, Way::Lightning, Amount::Due).unwrap();
    due(&app).await;
    app.task("invoice_poll", &[]).await.unwrap();
    let now = app.invoice(&late).await;
    assert_eq!((now.state.as_str(), now.late), ("paid", true));
    assert_eq!(app.months().await, 3);
    app.idle().await;
    app.finish().await;
}

/// F20, F59: what is given back at a processor, or not accepted any more, takes nothing here: admins hear of it, once. It is
/// over when the processor says that it is paid after all, or when it is given back here too.
#[tokio::test]
async fn what_goes_back_there_is_told_here() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    let (first, second) = (app.bill(&ada, "btcpay").await, app.bill(&eve, "nowpayments").await);
    let (server, merchant) = (app.sandbox.btcpay(), app.sandbox.nowpayments());
    app.pay_with_lightning(&first).await;
    let payment = merchant.choose(merchant.invoices()[0].id).unwrap();
    merchant.pay(payment, Amount::Due).unwrap();
    merchant.finish(payment);
    eventually("both months", || async { (app.months().await == 2).then_some(()) }).await;
    let (first, second) = (app.invoice(&first).await, app.invoice(&second).await);
    let reference = first.processor_ref.clone().unwrap();

    assert!(server.refund(&reference) && merchant.become_(payment, PaymentStatus::Refunded));
    let refund = format!("invoice:{}:refund", first.id);
    let [back, invalid] = [&second, &first].map(|it| format!("invoice:{}:taken_back", it.id));
    alarmed(&app, &[refund.clone(), back.clone()]).await;
    // Another one for the same payment is the same to look at.
    assert!(server.refund(&reference) && server.mark(&reference, false));
    alarmed(&app, &[refund.clone(), invalid, back.clone()]).await;
    assert!(server.mark(&reference, true));
    alarmed(&app, &[refund, back]).await;
    app.idle().await;
    for invoice in [&first, &second] {
        let now = invoices::by_id(&app.ctx.db, invoice.id).await.unwrap().unwrap();
        assert_eq!((now.state(), now.marked), (State::Paid, false), "nobody loses a month by it");
    }
    assert_eq!(app.months().await, 2);

    for invoice in [&first, &second] {
        let refunding = invoices::refund(&app.ctx, invoice, &Actor::Cli, "the money went back").await.unwrap();
        assert!(matches!(refunding, Refunding::Refunded(_)), "{refunding:?}");
        let applied = invoices::apply(&app.ctx, invoice.id).await.unwrap();
        assert_eq!(applied, Applied::Stands(State::Refunded, false));
    }
    assert_eq!(alarms(&app).await, [""; 0]);
    app.idle().await;
    app.finish().await;
}

/// F19, F59: at `NOWPayments` the rest is not asked for after a part, because it would not be added to it. What is sent again
/// nevertheless counts for nothing; admins hear of each transfer once, and can make a month of it.
#[tokio::test]
async fn money_sent_again_waits_for_a_person() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "nowpayments").await;
    let merchant = app.sandbox.nowpayments();
    let payment = merchant.choose(merchant.invoices()[0].id).unwrap();
    merchant.pay(payment, Amount::Less).unwrap();
    merchant.finish(payment);
    let id = app.invoice(&path).await.id;
    let part = format!("invoice:{id}:part");
    alarmed(&app, std::slice::from_ref(&part)).await;

    let page = ada.get(&path).await.html();
    let text = page.text();
    assert!(text.contains("$4.99 of $9.99 arrived. It is not lost") && text.contains("Send nothing more"), "{text}");
    let facts = page.texts("main dl dt");
    assert!(facts.contains(&"Missing".to_owned()) && !facts.contains(&"Pay before".to_owned()), "{facts:?}");
    assert!(!page.has("main a.btn") && !page.has("main img") && !text.contains("We are watching"), "{text}");
    let mail = app.mail("ada@example.com", 1).await;
    assert!(mail.text.contains("is not lost") && mail.text.contains("Answer this mail"), "{}", mail.text);
    assert!(!mail.text.contains("Send the rest") && !mail.html.contains("Send the rest"), "{}", mail.html);

    let again = merchant.pay(payment, Amount::Due).unwrap();
    merchant.finish(again);
    let first = format!("invoice:{id}:redeposit:{again}");
    alarmed(&app, &[part.clone(), first.clone()]).await;
    let says = alerts::open(&app.ctx.db, Some(alerts::Kind::Payment)).await.unwrap().pop().unwrap().detail;
    assert!(says["says"].as_str().unwrap().contains("measured at $4.99"), "{says}");
    let more = merchant.pay(payment, Amount::Sats(1_000)).unwrap();
    merchant.finish(more);
    let second = format!("invoice:{id}:redeposit:{more}");
    alarmed(&app, &[part, first.clone(), second.clone()]).await;
    app.idle().await;
    invoices::apply(&app.ctx, id).await.unwrap();
    let invoice = app.invoice(&path).await;
    assert_eq!((invoice.state(), invoice.paid_minor, app.months().await), (State::Underpaid, 499, 0));
    assert_eq!(app.count("SELECT COUNT(*) FROM alerts").await, 3, "each once");

    let marking = invoices::mark_paid(&app.ctx, &invoice, &Actor::Cli, "it came in three").await.unwrap();
    assert!(matches!(marking, Marking::Marked(_)), "{marking:?}");
    invoices::apply(&app.ctx, id).await.unwrap();
    assert_eq!((alarms(&app).await, app.months().await), (vec![first, second], 1), "what was sent again stays");
    app.idle().await;
    app.finish().await;
}

/// F19: a notification of money that was sent again and names no order finds it through the payment it was sent to.
#[tokio::test]
async fn a_nameless_transfer_finds_its_order() {
    let app = silent().await;
    let path = app.bill(&app.sign_in("ada").await, "nowpayments").await;
    let (id, reference) = (app.invoice(&path).await.id, app.reference(&path).await);
    let merchant = app.sandbox.nowpayments();
    let payment = merchant.choose(reference.parse().unwrap()).unwrap();
    merchant.pay(payment, Amount::Less).unwrap();
    merchant.finish(payment);
    let again = merchant.pay(payment, Amount::Due).unwrap();
    merchant.finish(again);
    let of = |named: &str, payment: u64| format!(r#"{{{named},"payment_id":{payment},"payment_status":"finished"}}"#);
    assert_eq!(notify(&app, of(r#""parent_payment_id":12345"#, 67_890)).await, 200, "of another shop");
    assert_eq!(notify(&app, of(&format!(r#""invoice_id":{reference}"#), payment)).await, 200);
    assert_eq!(notify(&app, of(&format!(r#""parent_payment_id":{payment}"#), again)).await, 200);
    let ours = format!("SELECT COUNT(*) FROM payment_events WHERE invoice_id = {id}");
    assert_eq!(app.count(&ours).await, 2);
    assert_eq!(app.count(&format!("{ours} AND payment = '{again}'")).await, 1);
    app.idle().await;
    app.finish().await;
}

/// F20, F59: an account whose sign-in is refused holds up nobody whose payment is known; admins hear of it once, and the next
/// comparison that it allows ends it.
#[tokio::test]
async fn a_locked_account_holds_up_nobody() {
    let app = TestApp::start().await;
    app.bill(&app.sign_in("ada").await, "nowpayments").await;
    let merchant = app.sandbox.nowpayments();
    let spoil = Spoil::Unauthorized;
    merchant.troubles().set(Trouble { spoil, acts: false, times: None, path: "/v1/auth".into() });
    let payment = merchant.choose(merchant.invoices()[0].id).unwrap();
    merchant.pay(payment, Amount::Due).unwrap();
    merchant.finish(payment);
    eventually("the month", || async { (app.months().await == 1).then_some(()) }).await;
    app.idle().await;
    app.task("invoice_reconcile", &[]).await.unwrap_err();
    assert_eq!(alarms(&app).await, ["compared:nowpayments:silent"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM alerts").await, 1, "once");
    merchant.troubles().heal();
    app.task("invoice_reconcile", &[]).await.unwrap();
    assert_eq!(alarms(&app).await, [""; 0]);
    app.finish().await;
}

/// F19: while the database is away a webhook is answered with 503, so that the processor comes again.
#[tokio::test]
async fn our_trouble_is_503() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.ctx.db.clone().close().await.unwrap();
    assert_eq!(app.deliver("a", "InvoiceSettled", "Some1", WEBHOOK_SECRET).await, 503);
    assert_eq!(app.deliver("a", "InvoiceSettled", "Some1", "another secret").await, 401);
    app.abandon().await;
}

/// It must show: no webhook arrives for a day and the processor is away as well. From its return every paid invoice is
/// active within two minutes, however old; another processor's were never held up, and a broken invoice holds up nobody.
#[tokio::test]
async fn a_day_without_webhooks() {
    let app = silent().await;
    let (ada, eve, dee) = (app.sign_in("ada").await, app.sign_in("eve").await, app.sign_in("dee").await);
    let (first, second, broken) =
        (app.bill(&ada, "btcpay").await, app.bill(&eve, "nowpayments").await, app.bill(&dee, "btcpay").await);
    app.pay_with_lightning(&first).await;
    app.pay_with_lightning(&broken).await;
    let offer = if is_postgres() { "'{}'::jsonb" } else { "'{}'" };
    let id = app.invoice(&broken).await.id;
    app.sql(&format!("UPDATE invoices SET offer_snapshot = {offer} WHERE id = {id}")).await;
    let merchant = app.sandbox.nowpayments();
    let payment = merchant.choose(merchant.invoices()[0].id).unwrap();
    merchant.pay(payment, Amount::Due).unwrap();
    merchant.finish(payment);
    app.set_time("invoices", "created_at", Utc::now() - TimeDelta::days(1), "id > 0").await;
    due(&app).await;

    let troubles = app.sandbox.btcpay().troubles();
    troubles.fail(Spoil::Hang);
    app.task("invoice_poll", &[]).await.unwrap();
    assert_eq!((app.invoice(&first).await.state.as_str(), app.invoice(&second).await.state.as_str()), ("new", "paid"));
    let next = app.invoice(&first).await.next_poll_at.unwrap();
    assert!(next <= Utc::now() + TimeDelta::seconds(60), "it is asked again soon: {next}");

    troubles.heal();
    due(&app).await;
    app.task("invoice_poll", &[]).await.unwrap_err();
    assert_eq!((app.invoice(&first).await.state.as_str(), app.months().await), ("paid", 2));
    assert_eq!(app.invoice(&broken).await.state, "new", "nothing of it was done by half");
    app.idle().await;
    app.finish().await;
}

/// F20: the last look at an invoice falls into a time in which the processor is away. It is not given up before the
/// processor has had its say.
#[tokio::test]
async fn the_last_look_waits_for_an_answer() {
    let app = silent().await;
    let ada = app.sign_in("ada").await;
    let path = app.bill(&ada, "btcpay").await;
    let reference = app.reference(&path).await;
    app.sandbox.btcpay().expire(&reference);
    app.sandbox.btcpay().pay(&reference, Way::Lightning, Amount::Due).unwrap();
    let long_ago = Utc::now() - TimeDelta::days(8);
    app.set_time("invoices", "created_at", long_ago - TimeDelta::hours(1), "id > 0").await;
    app.set_time("invoices", "expires_at", long_ago, "id > 0").await;
    due(&app).await;
    app.sandbox.btcpay().troubles().fail(Spoil::Status { code: 502 });
    app.task("invoice_poll", &[]).await.unwrap();
    assert!(app.invoice(&path).await.next_poll_at.is_some());

    app.sandbox.btcpay().troubles().heal();
    due(&app).await;
    app.task("invoice_poll", &[]).await.unwrap();
    let now = app.invoice(&path).await;
    assert_eq!((now.state.as_str(), now.late, now.next_poll_at), ("paid", true, None));
    app.idle().await;
    app.finish().await;
}

/// C17: what a person has called paid at the processor gives its month once, and stands in the audit log.
#[tokio::test]
async fn what_is_called_paid_there_is_on_record() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let bill = app.bill(&ada, "btcpay").await;
    app.sandbox.btcpay().mark(&app.reference(&bill).await, true);
    let id = app.invoice(&bill).await.id;
    for _ in 0..2 {
        invoices::apply(&app.ctx, id).await.unwrap();
    }

    let now = app.invoice(&bill).await;
    assert_eq!((now.state(), now.marked, app.months().await), (State::Paid, true, 1));
    let told = "SELECT COUNT(*) FROM activities WHERE activity_type = 'mark_invoice_paid' AND actor_type = 'system'";
    assert_eq!(app.count(told).await, 1);
    app.work();
    app.idle().await;
    let report = doctor::examine_books(&app.ctx, &app.ctx.db).await.unwrap();
    assert!(report.failed().next().is_none(), "{:?}", report.failed().collect::<Vec<_>>());
    app.finish().await;
}
