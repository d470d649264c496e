//! The adapters against the stand-ins over real HTTP, well and unwell.

use std::time::{Duration, Instant};

use nproxy::adapters::payments::{Failure, Processor, Settings, Status};
use sandbox::{Amount, Options, Sandbox, Spoil, Trouble, btcpay::Way};
use serde_json::json;

use super::{ORDER, btcpay, create, http, nowpayments, nowpayments_by_key_alone, price, processor};
use crate::adapters::peer::{AMPLE, Peer, SOON};

const HOOK: &str = "http://127.0.0.1:9/webhooks";

async fn sandbox() -> Sandbox {
    Sandbox::start(Options::default()).await.unwrap()
}

/// F17: a checkout at BTCPay from its creation to its money.
#[tokio::test]
async fn btcpay_from_order_to_money() {
    let sandbox = sandbox().await;
    let (server, processor, http) = (sandbox.btcpay(), btcpay(&sandbox.url()), http(AMPLE));
    assert_eq!(processor.find(&http, ORDER).await.unwrap(), None);
    let checkout = create(&processor, &http, HOOK).await.unwrap();
    let id = checkout.reference.as_str();
    assert_eq!(checkout.checkout_url, format!("{}/i/{id}", sandbox.url()));
    let ends = checkout.expires_at.unwrap() - sandbox.clock().now();
    assert!((14..=15).contains(&ends.num_minutes()), "{ends}");
    let networks: Vec<&str> = checkout.methods.iter().map(|it| it.network.as_str()).collect();
    assert_eq!(networks, ["Bitcoin", "Lightning"]);
    assert_eq!(checkout.methods[0].due, "0.00015370");
    assert_eq!(checkout.methods[0].rate.as_deref(), Some("65000.00"));
    assert!(checkout.methods[0].payment_link.as_ref().unwrap().starts_with("bitcoin:"));
    assert_eq!(processor.find(&http, ORDER).await.unwrap().as_ref(), Some(&checkout));
    assert_eq!(server.invoice(id).unwrap().metadata["buyerEmail"], "ada-canary@example.com");

    let truth = async || processor.truth(&http, id, &[]).await.unwrap();
    assert_eq!(truth().await.status, Status::New);
    server.pay(id, Way::Chain, Amount::Less).unwrap();
    let half = truth().await;
    assert_eq!((half.status, half.paid_minor, half.seen_minor), (Status::Underpaid, 0, 499));
    assert_eq!(processor.methods(&http, id).await.unwrap()[0].due, "0.00007685");
    server.double_spend(id);
    assert_eq!(truth().await.status, Status::New, "as if nothing had been");
    server.pay(id, Way::Chain, Amount::More).unwrap();
    let over = truth().await;
    assert_eq!((over.status, over.overpaid, over.paid_minor), (Status::Pending, true, 0));
    server.confirm(id);
    let paid = truth().await;
    assert_eq!((paid.status, paid.overpaid, paid.paid_minor), (Status::Paid, true, 1248));
    assert_eq!(paid.check(ORDER, &price()), Ok(()));
    let since = sandbox.clock().now() - chrono::TimeDelta::days(3);
    assert_eq!(processor.recent(&http, since).await.unwrap(), Some(vec![paid]));
    assert_eq!(
        processor.recent(&http, sandbox.clock().now() + chrono::TimeDelta::days(1)).await.unwrap(),
        Some(vec![])
    );
}

/// F17: paid after the end, without a settled event ever.
#[tokio::test]
async fn btcpay_paid_late() {
    let sandbox = sandbox().await;
    let (server, processor, http) = (sandbox.btcpay(), btcpay(&sandbox.url()), http(AMPLE));
    let id = create(&processor, &http, HOOK).await.unwrap().reference;
    sandbox.clock().pass(Duration::from_secs(16 * 60));
    assert_eq!(processor.truth(&http, &id, &[]).await.unwrap().status, Status::Expired);
    server.pay(&id, Way::Chain, Amount::Due).unwrap();
    let late = processor.truth(&http, &id, &[]).await.unwrap();
    assert_eq!((late.status, late.late), (Status::Pending, true));
    server.confirm(&id);
    let late = processor.truth(&http, &id, &[]).await.unwrap();
    assert_eq!((late.status, late.late, late.paid_minor), (Status::Paid, true, 999));
}

/// F17, F20: a checkout at NOWPayments; with the account's sign-in payments are found without any notification.
#[tokio::test]
async fn nowpayments_from_order_to_money() {
    let sandbox = sandbox().await;
    let (merchant, processor, http) = (sandbox.nowpayments(), nowpayments(&sandbox.url()), http(AMPLE));
    let by_key = nowpayments_by_key_alone(&sandbox.url());
    let checkout = create(&processor, &http, HOOK).await.unwrap();
    assert_eq!(checkout.checkout_url, format!("{}/payment/?iid={}", sandbox.url(), checkout.reference));
    let id = checkout.reference.as_str();
    assert_eq!(processor.truth(&http, id, &[]).await.unwrap().status, Status::New);
    let payment = merchant.choose(id.parse().unwrap()).unwrap();
    merchant.pay(payment, Amount::Less).unwrap();
    let pending = processor.truth(&http, id, &[]).await.unwrap();
    assert_eq!((pending.status, pending.seen_minor, pending.paid_minor), (Status::Pending, 499, 0));
    merchant.finish(payment);
    assert_eq!(processor.truth(&http, id, &[]).await.unwrap().status, Status::Underpaid);
    // A second coin for the same invoice, this time in full.
    let second = merchant.choose(id.parse().unwrap()).unwrap();
    merchant.pay(second, Amount::Due).unwrap();
    merchant.finish(second);
    let paid = processor.truth(&http, id, &[]).await.unwrap();
    assert_eq!((paid.status, paid.paid_minor, paid.overpaid), (Status::Paid, 1498, true));
    assert_eq!(paid.check(ORDER, &price()), Ok(()));
    assert_eq!(processor.recent(&http, sandbox.clock().now()).await.unwrap(), Some(vec![paid.clone()]));

    // With the key alone it takes the ids that notifications brought.
    assert_eq!(by_key.truth(&http, id, &[]).await.unwrap().status, Status::New);
    let known = [payment.to_string(), second.to_string()];
    assert_eq!(by_key.truth(&http, id, &known).await.unwrap(), paid);
    assert_eq!(by_key.recent(&http, sandbox.clock().now()).await.unwrap(), None);
    assert_eq!(by_key.find(&http, ORDER).await.unwrap(), None);
    // One that a notification made up holds up nobody.
    let with_a_lie = [known.to_vec(), vec!["12345".to_owned()]].concat();
    assert_eq!(by_key.truth(&http, id, &with_a_lie).await.unwrap(), paid);
}

/// F20: an account that is locked out hides only the payments that nobody has told us of; where none is known, nothing is
/// said.
#[tokio::test]
async fn a_wrong_password_hides_only_what_is_not_known() {
    let sandbox = sandbox().await;
    let mut branch = sandbox::nowpayments::settings(&sandbox.url());
    branch["password"] = json!("canary-wrong-password");
    let (merchant, processor, http) = (sandbox.nowpayments(), processor("nowpayments", &branch), http(AMPLE));
    let id = create(&processor, &http, HOOK).await.unwrap().reference;
    let payment = merchant.choose(id.parse().unwrap()).unwrap();
    merchant.pay(payment, Amount::Due).unwrap();
    merchant.finish(payment);
    let failure = processor.truth(&http, &id, &[]).await.unwrap_err();
    assert_eq!(failure.class(), "unauthorized");
    let known = processor.truth(&http, &id, &[payment.to_string()]).await.unwrap();
    assert_eq!((known.status, known.paid_minor), (Status::Paid, 999));
    assert_eq!(known.unlisted.map(|it| it.class()), Some("unauthorized"));
    // A server that is unwell is asked again later, when it tells of all.
    let spoil = Spoil::Status { code: 503 };
    sandbox.nowpayments().troubles().set(Trouble { spoil, acts: false, times: None, path: "/v1/auth".into() });
    let failure = processor.truth(&http, &id, &[payment.to_string()]).await.unwrap_err();
    assert_eq!(failure.class(), "unavailable");
}

/// X28: the outcome of a create is unknown, so it is searched for, and there is one invoice.
#[tokio::test]
async fn a_create_that_nobody_answered_is_found() {
    let sandbox = sandbox().await;
    let processor = btcpay(&sandbox.url());
    for spoil in [Spoil::Hang, Spoil::Reset, Spoil::Status { code: 502 }, Spoil::Garbage, Spoil::Truncated, Spoil::Huge]
    {
        let before = sandbox.btcpay().invoices().len();
        sandbox.btcpay().troubles().act_and_fail(spoil.clone());
        let failure = create(&processor, &http(Duration::from_secs(3)), HOOK).await.unwrap_err();
        assert!(failure.may_have_created(), "{spoil:?}: {failure}");
        assert_eq!(sandbox.btcpay().invoices().len(), before + 1);
        let found = processor.find(&http(AMPLE), ORDER).await.unwrap().unwrap();
        assert_eq!(Some(found.reference), sandbox.btcpay().invoices().pop().map(|it| it.id), "the newest");
    }
    // Of several, the one with money.
    let first = sandbox.btcpay().invoices().remove(0).id;
    sandbox.btcpay().pay(&first, Way::Chain, Amount::Less).unwrap();
    assert_eq!(processor.find(&http(AMPLE), ORDER).await.unwrap().unwrap().reference, first);
}

/// What a create that was not carried out, and a question, end in.
#[tokio::test]
async fn every_trouble_has_its_class() {
    for name in ["btcpay", "nowpayments"] {
        let sandbox = sandbox().await;
        let (processor, troubles) = match name {
            "btcpay" => (btcpay(&sandbox.url()), sandbox.btcpay().troubles()),
            _ => (nowpayments(&sandbox.url()), sandbox.nowpayments().troubles()),
        };
        let id = create(&processor, &http(AMPLE), HOOK).await.unwrap().reference;
        for (spoil, creating, asking) in [
            (Spoil::Hang, "unknown", "unavailable"),
            (Spoil::Reset, "unknown", "unavailable"),
            (Spoil::Status { code: 500 }, "unknown", "unavailable"),
            (Spoil::Status { code: 503 }, "unknown", "unavailable"),
            (Spoil::Status { code: 404 }, "garbage", "garbage"),
            (Spoil::Status { code: 413 }, "garbage", "garbage"),
            (Spoil::RateLimited { retry_after_s: 7 }, "rate_limited", "rate_limited"),
            (Spoil::Unauthorized, "unauthorized", "unauthorized"),
            (Spoil::Redirect, "garbage", "garbage"),
            (Spoil::Garbage, "unknown", "garbage"),
            (Spoil::Truncated, "unknown", "unavailable"),
            (Spoil::Huge, "unknown", "garbage"),
            (Spoil::Slow { ms: 5_000 }, "unknown", "unavailable"),
        ] {
            troubles.fail(spoil.clone());
            let hasty = http(if matches!(spoil, Spoil::Hang | Spoil::Slow { .. }) { SOON } else { AMPLE });
            let begun = Instant::now();
            let failure = create(&processor, &hasty, HOOK).await.unwrap_err();
            assert_eq!(failure.class(), creating, "{name} creating with {spoil:?}: {failure}");
            let failure = processor.truth(&hasty, &id, &[]).await.unwrap_err();
            assert_eq!(failure.class(), asking, "{name} asking with {spoil:?}: {failure}");
            assert!(begun.elapsed() < AMPLE);
            if let Failure::RateLimited { retry_after, .. } = failure {
                assert_eq!(retry_after, Some(Duration::from_secs(7)));
            }
        }
        troubles.heal();
        assert_eq!(processor.truth(&http(AMPLE), &id, &[]).await.unwrap().status, Status::New);
    }
}

#[tokio::test]
async fn nobody_listens_so_nothing_happened() {
    let url = format!("http://{}", Peer::nobody().await);
    for processor in [btcpay(&url), nowpayments(&url)] {
        let failure = create(&processor, &http(AMPLE), HOOK).await.unwrap_err();
        assert_eq!(failure.class(), "unavailable", "{failure}");
    }
}

#[tokio::test]
async fn the_way_to_the_page_never_stands_in_the_way_of_the_checkout() {
    let sandbox = sandbox().await;
    let spoil = Spoil::Status { code: 500 };
    let trouble = Trouble { spoil, acts: false, times: None, path: "payment-methods".into() };
    sandbox.btcpay().troubles().set(trouble);
    let checkout = create(&btcpay(&sandbox.url()), &http(AMPLE), HOOK).await.unwrap();
    assert!(checkout.methods.is_empty());
}

#[tokio::test]
async fn wrong_keys_and_strange_ids() {
    let sandbox = sandbox().await;
    let (mut btc, mut now) =
        (sandbox::btcpay::settings(&sandbox.url()), sandbox::nowpayments::settings(&sandbox.url()));
    btc["api_key"] = json!("canary-wrong-key");
    now["api_key"] = json!("canary-wrong-key");
    for processor in [processor("btcpay", &btc), processor("nowpayments", &now)] {
        let failure = create(&processor, &http(AMPLE), HOOK).await.unwrap_err();
        assert_eq!(failure.class(), "unauthorized");
        assert!(failure.needs_operator());
    }
    for processor in [btcpay(&sandbox.url()), nowpayments(&sandbox.url())] {
        for id in ["", "..", "a/b", "a?b", "%2e%2e", &"x".repeat(65)] {
            let failure = processor.truth(&http(AMPLE), id, &[]).await.unwrap_err();
            assert_eq!(failure.class(), "not_found", "{id:?}");
        }
    }
    let failure = btcpay(&sandbox.url()).truth(&http(AMPLE), "nobodys", &[]).await.unwrap_err();
    assert_eq!(failure.class(), "not_found");
}

/// No secret is in anything that can be printed, echoed by the other side or not.
#[tokio::test]
async fn nothing_printed_holds_a_secret() {
    const CANARY: &str = "canary-0123456789";
    let echo = |status| {
        let body = format!(r#"{{"code":"x{CANARY}","message":"{CANARY} of ada-canary@example.com\u0007"}}"#);
        crate::adapters::peer::json(status, body)
    };
    for status in [400, 401, 404, 422, 429, 500, 200] {
        let vendor = Peer::saying(echo(status)).await;
        let btc = json!({"url": vendor.http(), "store_id": "S1", "api_key": CANARY, "webhook_secret": CANARY});
        let now = json!({"url": vendor.http(), "api_key": CANARY, "ipn_secret": CANARY, "email": "m@example.com", "password": CANARY});
        for processor in [processor("btcpay", &btc), processor("nowpayments", &now)] {
            let http = http(AMPLE);
            let created = create(&processor, &http, HOOK).await.unwrap_err();
            let asked = processor.truth(&http, "I1", &[]).await.unwrap_err();
            let printed = format!("{processor:?} {http:?} {created:?} {created} {asked:?} {asked}");
            assert!(!printed.contains(CANARY), "{printed}");
            if processor.name() == "btcpay" {
                assert!(!created.to_string().contains("ada-canary"), "{created}");
            }
        }
    }
}

#[test]
fn a_processor_is_on_when_it_is_set_and_half_a_setting_is_an_error() {
    let off = Settings::default();
    assert!(off.check().is_ok());
    assert!(off.processors().is_empty());
    let names = |tree: serde_json::Value| {
        let settings: Settings = serde_json::from_value(tree).unwrap();
        settings.check().map(|()| settings.processors().iter().map(Processor::name).collect::<Vec<_>>())
    };
    let btc = sandbox::btcpay::settings("http://localhost:1");
    let now = json!({"url": "", "api_key": "k", "ipn_secret": "s"});
    assert_eq!(names(json!({"btcpay": btc, "nowpayments": now})), Ok(vec!["btcpay", "nowpayments"]));
    assert_eq!(names(json!({"btcpay": {"url": "", "api_key": "left over"}})), Ok(vec![]));
    for (branch, missing) in [
        (json!({"btcpay": {"url": "http://localhost"}}), "BTCPAY_STORE_ID"),
        (json!({"btcpay": {"url": "http://localhost", "store_id": "S"}}), "BTCPAY_API_KEY"),
        (
            json!({"btcpay": {"url": "http://localhost", "store_id": "S", "api_key": "k", "webhook_secret": " , "}}),
            "BTCPAY_WEBHOOK_SECRET",
        ),
        (json!({"nowpayments": {"api_key": "k"}}), "NOWPAYMENTS_IPN_SECRET"),
        (json!({"nowpayments": {"api_key": "k", "ipn_secret": "s", "email": "m@example.com"}}), "NOWPAYMENTS_PASSWORD"),
    ] {
        assert!(names(branch).unwrap_err().contains(missing), "{missing}");
    }
}
