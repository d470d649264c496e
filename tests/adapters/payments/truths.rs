//! Saved answers of both processors and what they mean: every status with every additional one.

use std::sync::Arc;

use nproxy::adapters::payments::{Failure, Mismatch, Price, Processor, Status, Truth};
use serde_json::{Value, json};

use super::{ORDER, btcpay, http, nowpayments_by_key_alone, price};
use crate::adapters::peer::{AMPLE, Peer, json as answer};

/// A server that answers each path with the JSON that `of` gives for it.
async fn serving(of: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Peer {
    let of = Arc::new(of);
    Peer::new(move |mut line| {
        let of = of.clone();
        async move {
            let request = line.request().await;
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let body = of(&path);
            let missing = answer(404, r#"{"code":"invoice-not-found","message":"The invoice was not found"}"#);
            line.say(body.map_or(missing, |it| answer(200, it))).await;
        }
    })
    .await
}

/// As Greenfield 2.4 writes it.
fn invoice(status: &str, additional: &str, seen: &str) -> Value {
    json!({
        "id": "I1", "storeId": sandbox::btcpay::STORE_ID, "amount": "9.99", "paidAmount": seen, "currency": "USD",
        "type": "Standard", "checkoutLink": "https://pay.example.com/i/I1", "createdTime": 1_592_312_018,
        "expirationTime": 1_592_312_918, "monitoringExpiration": 1_592_399_318, "status": status,
        "additionalStatus": additional, "availableStatusesForManualMarking": ["Settled", "Invalid"], "archived": false,
        "metadata": {"orderId": ORDER}, "checkout": {"speedPolicy": "MediumSpeed"}, "internalTags": [],
    })
}

/// Payments at 65,000.00: 0.0001537 BTC is 9.9905, the price rounded up.
fn methods(payments: &[(&str, &str)]) -> Value {
    let payments: Vec<Value> = payments
        .iter()
        .enumerate()
        .map(|(at, (value, status))| {
            json!({"id": format!("p{at}"), "receivedDate": 1_592_312_100, "value": value, "fee": "0", "status": status,
                "destination": "bc1q"})
        })
        .collect();
    json!([
        {"paymentMethodId": "BTC-CHAIN", "currency": "BTC", "destination": "bc1q", "paymentLink": "bitcoin:bc1q",
            "rate": "65000.0", "paymentMethodPaid": "0", "totalPaid": "0", "due": "0.0001537", "amount": "0.0001537",
            "paymentMethodFee": "0", "payments": payments, "activated": true},
        {"paymentMethodId": "BTC-LN", "currency": "BTC", "destination": null, "paymentLink": null, "rate": null,
            "due": null, "payments": [], "activated": false},
    ])
}

async fn told(invoice: Value, methods: Value) -> Result<Truth, Failure> {
    let server = serving(move |path| match path.ends_with("/payment-methods") {
        true => Some(methods.to_string()),
        false => Some(invoice.to_string()),
    })
    .await;
    btcpay(&server.http()).truth(&http(AMPLE), "I1", &[]).await
}

fn in_short(truth: &Truth) -> String {
    let flags = [(truth.late, " late"), (truth.overpaid, " overpaid"), (truth.marked, " marked")];
    let flags: String = flags.iter().filter(|it| it.0).map(|it| it.1).collect();
    format!("{}{flags}", truth.status.as_str())
}

/// F17: only money that is settled, or a person at the processor, makes an invoice paid.
#[tokio::test]
async fn every_status_of_btcpay_with_every_additional_one() {
    const NOTHING: &[(&str, &str)] = &[];
    const SEEN: &[(&str, &str)] = &[("0.0001537", "Processing")];
    const SETTLED: &[(&str, &str)] = &[("0.0001537", "Settled")];
    // Status, additional; without money, with unconfirmed money, with confirmed money.
    let table = [
        ("New", "None", "new", "pending", "confirming"),
        ("New", "PaidPartial", "underpaid", "underpaid", "underpaid"),
        ("New", "PaidOver", "new overpaid", "pending overpaid", "confirming overpaid"),
        ("New", "PaidLate", "new late", "pending late", "confirming late"),
        ("New", "Marked", "new marked", "pending marked", "confirming marked"),
        ("New", "Invalid", "new", "pending", "confirming"),
        ("Processing", "None", "pending", "pending", "confirming"),
        ("Processing", "PaidPartial", "pending", "pending", "confirming"),
        ("Processing", "PaidOver", "pending overpaid", "pending overpaid", "confirming overpaid"),
        ("Processing", "PaidLate", "pending late", "pending late", "confirming late"),
        ("Processing", "Marked", "pending marked", "pending marked", "confirming marked"),
        ("Processing", "Invalid", "pending", "pending", "confirming"),
        ("Expired", "None", "expired", "expired", "expired"),
        ("Expired", "PaidPartial", "underpaid", "underpaid", "underpaid"),
        ("Expired", "PaidOver", "pending late overpaid", "pending late overpaid", "paid late overpaid"),
        ("Expired", "PaidLate", "pending late", "pending late", "paid late"),
        ("Expired", "Marked", "expired marked", "expired marked", "expired marked"),
        ("Expired", "Invalid", "expired", "expired", "expired"),
        ("Invalid", "None", "invalid", "invalid", "invalid"),
        ("Invalid", "PaidPartial", "invalid", "invalid", "invalid"),
        ("Invalid", "PaidOver", "invalid overpaid", "invalid overpaid", "invalid overpaid"),
        ("Invalid", "PaidLate", "invalid late", "invalid late", "invalid late"),
        ("Invalid", "Marked", "invalid marked", "invalid marked", "invalid marked"),
        ("Invalid", "Invalid", "invalid", "invalid", "invalid"),
        ("Settled", "None", "paid", "paid", "paid"),
        ("Settled", "PaidPartial", "paid", "paid", "paid"),
        ("Settled", "PaidOver", "paid overpaid", "paid overpaid", "paid overpaid"),
        ("Settled", "PaidLate", "paid late", "paid late", "paid late"),
        ("Settled", "Marked", "paid marked", "paid marked", "paid marked"),
        ("Settled", "Invalid", "invalid", "invalid", "invalid"),
    ];
    for (status, additional, nothing, seen, settled) in table {
        for (payments, paid_amount, wanted) in
            [(NOTHING, "0", nothing), (SEEN, "9.9905", seen), (SETTLED, "9.9905", settled)]
        {
            let truth = told(invoice(status, additional, paid_amount), methods(payments)).await.unwrap();
            assert_eq!(in_short(&truth), wanted, "{status}/{additional} with {payments:?}");
            assert_eq!(truth.price, Some(price()));
            assert_eq!(truth.check(ORDER, &price()), Ok(()));
        }
    }
}

#[tokio::test]
async fn what_was_paid_is_counted_exactly() {
    let paid = [("0.0001", "Settled"), ("0.00005", "Processing"), ("0.5", "Invalid"), ("0.0000037", "Settled")];
    let truth = told(invoice("New", "PaidPartial", "9.99"), methods(&paid)).await.unwrap();
    // 6.50 + 0.2405 are confirmed, 3.25 more were seen, and what was double-spent is nobody's.
    assert_eq!((truth.paid_minor, truth.seen_minor), (674, 999));
    let single: Vec<(i64, Status)> = truth.payments.iter().map(|it| (it.minor, it.status)).collect();
    let expected = [(650, Status::Paid), (325, Status::Pending), (3_250_000, Status::Invalid), (24, Status::Paid)];
    assert_eq!(single, expected);
    // A late payment that is settled and too small is not the whole price.
    let truth = told(invoice("Expired", "PaidLate", "9"), methods(&[("0.0001", "Settled")])).await.unwrap();
    assert_eq!(in_short(&truth), "underpaid late");
    // The network fee on top is not a payment.
    let mut with_fee = methods(&[("0.0001637", "Settled")]);
    with_fee[0]["payments"][0]["fee"] = json!("0.00001");
    assert_eq!(told(invoice("Settled", "None", "9.99"), with_fee).await.unwrap().paid_minor, 999);
}

#[tokio::test]
async fn the_words_of_1_x_are_understood() {
    let mut old = invoice("Settled", "None", "0");
    let fields = old.as_object_mut().unwrap();
    fields.remove("paidAmount");
    fields.remove("storeId");
    fields.insert("amount".into(), json!(9.99));
    let methods = json!([{"paymentMethod": "BTC", "cryptoCode": "BTC", "destination": "bc1q", "paymentLink": "bitcoin:bc1q",
        "rate": "65000", "due": "0.1", "payments": [{"id": "p", "value": "0.0001537", "fee": "0", "status": "Settled"}]},
        {"paymentMethod": "BTC-LightningNetwork", "cryptoCode": "BTC", "destination": "lnbc1", "rate": "65000", "due": "0.1",
        "payments": []}]);
    let shown = methods.to_string();
    let truth = told(old, methods).await.unwrap();
    assert_eq!((truth.status, truth.paid_minor, truth.shop_matches), (Status::Paid, 999, true));
    let server = serving(move |_| Some(shown.clone())).await;
    let offered = btcpay(&server.http()).methods(&http(AMPLE), "I1").await.unwrap();
    let names: Vec<(&str, &str)> = offered.iter().map(|it| (it.currency.as_str(), it.network.as_str())).collect();
    assert_eq!(names, [("BTC", "Bitcoin"), ("BTC", "Lightning")]);
}

/// F19: another shop's invoice, another order, another currency, a smaller price.
#[tokio::test]
async fn what_is_not_our_order_is_told_apart() {
    for (field, value, mismatch) in [
        ("storeId", json!("Other"), Mismatch::Shop),
        ("metadata", json!({"orderId": "np_other"}), Mismatch::Order),
        ("metadata", json!({}), Mismatch::Order),
        ("currency", json!("EUR"), Mismatch::Currency),
        ("amount", json!("9.98"), Mismatch::Price),
    ] {
        let mut lying = invoice("Settled", "None", "9.99");
        lying[field] = value;
        let truth = told(lying, methods(&[])).await.unwrap();
        assert_eq!(truth.check(ORDER, &price()), Err(mismatch));
    }
    let more = told(invoice("Settled", "None", "9.99"), methods(&[])).await.unwrap();
    assert_eq!(more.check(ORDER, &Price::new(998, "USD")), Ok(()), "the price fell since");
}

#[tokio::test]
async fn what_cannot_be_understood_is_garbage() {
    for (field, value) in [
        ("status", json!("Sleeping")),
        ("additionalStatus", json!("PaidTwice")),
        ("amount", json!("9.991")),
        ("amount", json!("-9.99")),
        ("amount", json!(null)),
        ("id", json!("I2")),
    ] {
        let mut strange = invoice("Settled", "None", "9.99");
        strange[field] = value;
        let outcome = told(strange, methods(&[])).await;
        assert!(matches!(outcome, Err(Failure::Garbage { .. })), "{field}: {outcome:?}");
    }
    let outcome = told(invoice("Settled", "None", "9.99"), methods(&[("1e99", "Settled")])).await;
    assert!(matches!(outcome, Err(Failure::Garbage { .. })), "{outcome:?}");
}

fn payment(id: u64, status: &str, paid: &str) -> Value {
    let body = format!(
        r#"{{"payment_id":{id},"parent_payment_id":null,"invoice_id":77,"payment_status":"{status}","pay_address":"T",
        "price_amount":9.99,"price_currency":"usd","pay_amount":41.25,"actually_paid":{paid},"actually_paid_at_fiat":0,
        "pay_currency":"trx","order_id":"{ORDER}","order_description":"x","purchase_id":"1","outcome_amount":39.4,
        "outcome_currency":"trx","payment_extra_ids":null}}"#
    );
    serde_json::from_str(&body).unwrap()
}

/// The truth about invoice 77 from its payments, asked for one by one.
async fn summed(payments: Vec<Value>) -> Result<Truth, Failure> {
    let known: Vec<String> = payments.iter().map(|it| it["payment_id"].to_string()).collect();
    let server = serving(move |path| {
        let id: u64 = path.rsplit('/').next()?.parse().ok()?;
        payments.iter().find(|it| it["payment_id"] == id).map(Value::to_string)
    })
    .await;
    let processor: Processor = nowpayments_by_key_alone(&server.http());
    processor.truth(&http(AMPLE), "77", &known).await
}

#[tokio::test]
async fn every_status_of_nowpayments() {
    for (word, wanted, paid) in [
        ("waiting", "new", 0),
        ("confirming", "pending", 0),
        ("confirmed", "confirming", 999),
        ("sending", "confirming", 999),
        ("finished", "paid", 999),
        ("partially_paid", "underpaid", 999),
        ("failed", "invalid", 0),
        ("refunded", "refunded", 0),
        ("expired", "expired", 0),
        ("cancelled", "invalid marked", 0),
    ] {
        let truth = summed(vec![payment(1, word, "41.25")]).await.unwrap();
        assert_eq!((in_short(&truth).as_str(), truth.paid_minor), (wanted, paid), "{word}");
        assert_eq!(truth.check(ORDER, &price()), Ok(()));
    }
    let outcome = summed(vec![payment(1, "delighted", "41.25")]).await;
    assert!(matches!(outcome, Err(Failure::Garbage { .. })), "{outcome:?}");
    let nothing = summed(Vec::new()).await.unwrap();
    assert_eq!((nothing.status, nothing.order_id, nothing.price), (Status::New, None, None));
}

#[tokio::test]
async fn several_payments_make_one_truth() {
    let of = |id, status, paid| payment(id, status, paid);
    let truth =
        summed(vec![of(1, "partially_paid", "40"), of(2, "expired", "0"), of(3, "waiting", "0")]).await.unwrap();
    assert_eq!((truth.status, truth.paid_minor), (Status::Underpaid, 968), "9.99 × 40 / 41.25, rounded down");
    let truth = summed(vec![of(1, "expired", "0"), of(2, "finished", "50"), of(3, "failed", "0")]).await.unwrap();
    assert_eq!(in_short(&truth), "paid overpaid");
    assert_eq!(truth.paid_minor, 1210);

    // Money sent again to an old address has a price of its own and is told, never counted.
    let mut again = of(2, "finished", "41.25");
    again["parent_payment_id"] = json!(1);
    let truth = summed(vec![of(1, "expired", "0"), again.clone()]).await.unwrap();
    assert_eq!((truth.status, truth.paid_minor, truth.redeposited_minor), (Status::Expired, 0, 999));
    assert_eq!(truth.payments[1].parent.as_deref(), Some("1"));
    // It may name neither invoice nor order.
    let mut nameless = again.clone();
    nameless["invoice_id"] = Value::Null;
    nameless["order_id"] = Value::Null;
    let truth = summed(vec![of(1, "expired", "0"), nameless]).await.unwrap();
    assert_eq!((truth.redeposited_minor, truth.check(ORDER, &price())), (999, Ok(())));
    // It is found through its parent too.
    let mut parent = of(1, "finished", "41.25");
    parent["payment_extra_ids"] = json!([2]);
    let server = serving(move |path| Some(if path.ends_with("/1") { &parent } else { &again }.to_string())).await;
    let truth = nowpayments_by_key_alone(&server.http()).truth(&http(AMPLE), "77", &["1".to_owned()]).await.unwrap();
    assert_eq!((truth.status, truth.payments.len(), truth.redeposited_minor), (Status::Paid, 2, 999));
}

#[tokio::test]
async fn payments_of_another_invoice_or_order_are_not_ours() {
    let mut other = payment(2, "finished", "41.25");
    other["invoice_id"] = json!(78);
    let truth = summed(vec![payment(1, "partially_paid", "40"), other.clone()]).await.unwrap();
    assert_eq!(
        (truth.status, truth.paid_minor, truth.payments.len()),
        (Status::Underpaid, 968, 1),
        "it counts nowhere"
    );
    assert_eq!(summed(vec![other]).await.unwrap().status, Status::New);
    let mut other = payment(2, "finished", "41.25");
    other["order_id"] = json!("np_other");
    let outcome = summed(vec![payment(1, "waiting", "0"), other.clone()]).await;
    assert!(matches!(outcome, Err(Failure::Garbage { .. })), "{outcome:?}");
    assert_eq!(summed(vec![other]).await.unwrap().check(ORDER, &price()), Err(Mismatch::Order));
}
