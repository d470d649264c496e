//! The stand-ins' webhooks, as they come over the wire, held against the adapters.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use nproxy::adapters::payments::{Event, Forged, Processor};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sandbox::{Amount, Options, Sandbox, Webhooks, btcpay::Way};

use super::{ORDER, btcpay, create, http, nowpayments};
use crate::adapters::peer::{AMPLE, Peer};

type Heard = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A shop that answers 200 to everything and remembers it.
async fn shop() -> (Peer, Heard) {
    let heard = Heard::default();
    let hears = heard.clone();
    let peer = Peer::new(move |mut line| {
        let hears = hears.clone();
        async move {
            let request = line.request().await;
            let (head, body) = request.split_once("\r\n\r\n").unwrap_or_default();
            let mut headers = HeaderMap::new();
            for (name, value) in head.lines().filter_map(|it| it.split_once(": ")) {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
            hears.lock().unwrap().push((headers, Bytes::copy_from_slice(body.as_bytes())));
            line.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        }
    })
    .await;
    (peer, heard)
}

fn events(processor: &Processor, heard: &Heard) -> Vec<Result<Event, Forged>> {
    heard.lock().unwrap().iter().map(|(headers, body)| processor.verify(headers, body)).collect()
}

#[tokio::test]
async fn btcpays_deliveries_are_believed_and_forged_ones_are_not() {
    let (shop, heard) = shop().await;
    let sandbox = Sandbox::start(Options { btcpay_webhook: shop.http(), ..Options::default() }).await.unwrap();
    let (server, processor) = (sandbox.btcpay(), btcpay(&sandbox.url()));
    let checkout = create(&processor, &http(AMPLE), &shop.http()).await.unwrap();
    server.pay(&checkout.reference, Way::Chain, Amount::Due).unwrap();
    server.confirm(&checkout.reference);
    assert!(server.courier().idle(AMPLE).await);
    let events = events(&processor, &heard).into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    let kinds: Vec<&str> = events.iter().map(|it| it.kind.as_str()).collect();
    let order =
        ["InvoiceCreated", "InvoiceReceivedPayment", "InvoiceProcessing", "InvoicePaymentSettled", "InvoiceSettled"];
    assert_eq!(kinds, order);
    for event in &events {
        assert_eq!(event.reference.as_ref(), Some(&checkout.reference));
        assert_eq!(event.order_id.as_deref(), Some(ORDER));
    }
    assert!(events[1].payment.is_some());
    assert!(events.iter().all(|it| !it.is_refund));

    heard.lock().unwrap().clear();
    server.refund(&checkout.reference);
    assert!(server.courier().idle(AMPLE).await);
    let refund = self::events(&processor, &heard).remove(0).unwrap();
    assert!(refund.is_refund && refund.reference.as_ref() == Some(&checkout.reference), "{refund:?}");

    heard.lock().unwrap().clear();
    server.forge(&checkout.reference, "InvoiceSettled", "not-the-secret");
    assert!(server.courier().idle(AMPLE).await);
    assert_eq!(self::events(&processor, &heard), [Err(Forged::Mismatch)]);

    // A doubled webhook is a delivery of its own each time, and tells the same fact.
    heard.lock().unwrap().clear();
    server.courier().duplicate(1);
    server.mark(&checkout.reference, true);
    assert!(server.courier().idle(AMPLE).await);
    let twice = self::events(&processor, &heard).into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(twice.len(), 2);
    assert!(twice[0].dedupe_keys.iter().any(|it| twice[1].dedupe_keys.contains(it)), "{twice:?}");
}

#[tokio::test]
async fn a_redelivery_repeats_its_keys() {
    let deaf = Peer::nobody().await;
    let url = format!("http://{deaf}");
    let sandbox = Sandbox::start(Options { btcpay_webhook: url.clone(), ..Options::default() }).await.unwrap();
    let (server, processor) = (sandbox.btcpay(), btcpay(&sandbox.url()));
    create(&processor, &http(AMPLE), &url).await.unwrap();
    let first = async {
        while server.courier().attempts().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(AMPLE, first).await.unwrap();
    let (shop, heard) = shop().await;
    server.webhook(&shop.http(), sandbox::btcpay::WEBHOOK_SECRET);
    sandbox.clock().pass(Duration::from_secs(11));
    assert!(server.courier().idle(AMPLE).await);
    let attempts = server.courier().attempts();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].original, attempts[1].original);
    assert_ne!(attempts[0].delivery, attempts[1].delivery);
    let event = events(&processor, &heard).remove(0).unwrap();
    assert!(event.redelivery);
    assert!(event.dedupe_keys.contains(&format!("delivery:{}", attempts[0].original)));
}

#[tokio::test]
async fn nowpayments_notifications_are_believed_and_forged_ones_are_not() {
    let (shop, heard) = shop().await;
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let (merchant, processor) = (sandbox.nowpayments(), nowpayments(&sandbox.url()));
    let checkout = create(&processor, &http(AMPLE), &shop.http()).await.unwrap();
    let payment = merchant.choose(checkout.reference.parse().unwrap()).unwrap();
    merchant.pay(payment, Amount::Due).unwrap();
    merchant.finish(payment);
    // Money sent again: an array of numbers in the parent, which two forms of the signature read differently.
    let again = merchant.pay(payment, Amount::Less).unwrap();
    merchant.finish(again);
    merchant.become_(payment, sandbox::nowpayments::PaymentStatus::Refunded);
    assert!(merchant.courier().idle(AMPLE).await);
    let events = events(&processor, &heard).into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    let of = |id: u64| events.iter().filter(move |it| it.payment == Some(id.to_string())).map(|it| it.kind.as_str());
    assert_eq!(
        of(payment).collect::<Vec<_>>(),
        ["waiting", "confirming", "confirmed", "sending", "finished", "refunded"]
    );
    assert_eq!(of(again).next_back(), Some("finished"));
    for event in &events {
        let is_again = event.payment == Some(again.to_string());
        assert_eq!(event.parent, is_again.then(|| payment.to_string()), "{event:?}");
    }
    assert!(heard.lock().unwrap().iter().any(|it| String::from_utf8_lossy(&it.1).contains("\"payment_extra_ids\":[")));
    for event in &events {
        assert_eq!(event.reference.as_ref(), Some(&checkout.reference));
        assert_eq!(event.order_id.as_deref(), Some(ORDER));
    }

    heard.lock().unwrap().clear();
    merchant.forge(payment, sandbox::nowpayments::PaymentStatus::Finished, "not-the-secret");
    assert!(merchant.courier().idle(AMPLE).await);
    assert_eq!(self::events(&processor, &heard), [Err(Forged::Mismatch)]);
    assert_eq!(merchant.courier().mode(), Webhooks::On);
}
