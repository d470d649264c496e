//! F19: what is not signed by an active secret is refused, to the bit.

use bytes::Bytes;
use nproxy::adapters::payments::{Event, Forged, Processor};
use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::processor;

const NOW_SECRET: &str = "ipn_test_secret";
const NOW_BODY: &str = r#"{"payment_id":5077125051,"parent_payment_id":null,"invoice_id":4522625843,"payment_status":"partially_paid","pay_address":"TNDFkiSmBQorNFacb3735q8MnT29sn8BLn","payin_extra_id":null,"price_amount":9.99,"price_currency":"usd","pay_amount":41.25,"actually_paid":40,"actually_paid_at_fiat":0,"pay_currency":"trx","order_id":"np_01HZX","order_description":"Токены / 1000","purchase_id":"6084744717","outcome_amount":39.4,"outcome_currency":"trx","payment_extra_ids":null,"fee":{"currency":"trx","depositFee":9.0e-7,"withdrawalFee":0,"serviceFee":0}}"#;
const NOW_SIGNATURE: &str = "bd60e05ab25323ce550fa22e0b7cb5a5b1a0ff8e41bb7b6bc454da27e4df785a6eea4781fd1ccfd30adbcd48d92f3cee90d829e218fd8e98f602378822ce206d";
const BTC_SECRET: &str = "whsec_btcpay";
const BTC_BODY: &str = "{\n  \"deliveryId\": \"Tqz1\",\n  \"webhookId\": \"W1\",\n  \"originalDeliveryId\": \"Tqz1\",\n  \"isRedelivery\": false,\n  \"type\": \"InvoiceSettled\",\n  \"timestamp\": 1592312018,\n  \"storeId\": \"S1\",\n  \"invoiceId\": \"I1\",\n  \"metadata\": {\n    \"orderId\": \"np_01HZX\"\n  },\n  \"manuallyMarked\": false,\n  \"overPaid\": false\n}";
const BTC_SIGNATURE: &str = "sha256=0125eda081f8398ba2a7f61c4184c7e82b55f1d25f2c2db40eb0fe89cc6b9e31";

fn btcpay(secret: &str) -> Processor {
    let branch = json!({"url": "http://localhost", "store_id": "S1", "api_key": "k", "webhook_secret": secret});
    processor("btcpay", &branch)
}

fn nowpayments(secret: &str) -> Processor {
    processor("nowpayments", &json!({"url": "", "api_key": "k", "ipn_secret": secret}))
}

fn verify(processor: &Processor, signature: &[u8], body: &[u8]) -> Result<Event, Forged> {
    let name = if processor.name() == "btcpay" { "btcpay-sig" } else { "x-nowpayments-sig" };
    let mut headers = HeaderMap::new();
    // What no header can hold never arrives.
    let Ok(value) = HeaderValue::from_bytes(signature) else { return Err(Forged::Mismatch) };
    headers.insert(HeaderName::from_static(name), value);
    processor.verify(&headers, &Bytes::copy_from_slice(body))
}

#[test]
fn the_published_vectors_hold() {
    let event = verify(&btcpay(BTC_SECRET), BTC_SIGNATURE.as_bytes(), BTC_BODY.as_bytes()).unwrap();
    assert_eq!(event.reference.as_deref(), Some("I1"));
    assert_eq!(event.order_id.as_deref(), Some("np_01HZX"));
    assert_eq!((event.kind.as_str(), event.redelivery, event.payment), ("InvoiceSettled", false, None));
    assert_eq!(event.dedupe_keys, ["delivery:Tqz1", "fact:I1:InvoiceSettled:false:false"]);

    let event = verify(&nowpayments(NOW_SECRET), NOW_SIGNATURE.as_bytes(), NOW_BODY.as_bytes()).unwrap();
    assert_eq!(event.reference.as_deref(), Some("4522625843"));
    assert_eq!(event.payment.as_deref(), Some("5077125051"));
    assert_eq!(event.order_id.as_deref(), Some("np_01HZX"));
    assert_eq!(event.kind, "partially_paid");
    assert_eq!(event.dedupe_keys, ["fact:5077125051:partially_paid:40:39.4"]);
}

#[test]
fn several_secrets_are_active_while_one_replaces_another() {
    for (processor, signature, body) in [
        (btcpay(" new, whsec_btcpay ,"), BTC_SIGNATURE, BTC_BODY),
        (nowpayments(&format!("new,{NOW_SECRET}\n")), NOW_SIGNATURE, NOW_BODY),
    ] {
        assert!(verify(&processor, signature.as_bytes(), body.as_bytes()).is_ok());
    }
    assert_eq!(verify(&btcpay("new"), BTC_SIGNATURE.as_bytes(), BTC_BODY.as_bytes()), Err(Forged::Mismatch));
}

#[test]
fn what_no_processor_signs_is_refused() {
    for processor in [btcpay(BTC_SECRET), nowpayments(NOW_SECRET)] {
        let body = if processor.name() == "btcpay" { BTC_BODY } else { NOW_BODY };
        let bare = processor.verify(&HeaderMap::new(), &Bytes::from_static(body.as_bytes()));
        assert_eq!(bare, Err(Forged::Unsigned));
        for signature in
            ["", "sha256=", "sha256", "é", "0", &BTC_SIGNATURE.to_uppercase(), &NOW_SIGNATURE.to_uppercase()]
        {
            assert!(verify(&processor, signature.as_bytes(), body.as_bytes()).is_err(), "{signature}");
        }
        for body in ["", "{", "[]", "null", "{}", "\u{0}", &"[".repeat(10_000)] {
            assert!(verify(&processor, BTC_SIGNATURE.as_bytes(), body.as_bytes()).is_err());
        }
    }
    // The signature of the other processor, with the other's algorithm, over the right body.
    assert!(verify(&btcpay(NOW_SECRET), NOW_SIGNATURE.as_bytes(), NOW_BODY.as_bytes()).is_err());
}

fn flipped(text: &str, bit: usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = bit % (bytes.len() * 8);
    bytes[at / 8] ^= 1 << (at % 8);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// F19: any one-bit change of body, signature or secret.
    #[test]
    fn one_wrong_bit_is_refused(bit in 0_usize..1_000_000) {
        for (processor, signature, body) in [
            (btcpay(BTC_SECRET), BTC_SIGNATURE, BTC_BODY),
            (nowpayments(NOW_SECRET), NOW_SIGNATURE, NOW_BODY),
        ] {
            prop_assert!(verify(&processor, &flipped(signature, bit), body.as_bytes()).is_err());
            let changed = flipped(body, bit);
            // `9.0E-7` is the same number, and NOWPayments signs numbers, not their spelling.
            let same_number = processor.name() == "nowpayments" && String::from_utf8_lossy(&changed).contains("9.0E-7");
            prop_assert_eq!(verify(&processor, signature.as_bytes(), &changed).is_ok(), same_number);
        }
        if let Ok(secret) = String::from_utf8(flipped(BTC_SECRET, bit)) && !secret.trim().is_empty() && !secret.contains(',') {
            prop_assert!(verify(&btcpay(&secret), BTC_SIGNATURE.as_bytes(), BTC_BODY.as_bytes()).is_err());
        }
        if let Ok(secret) = String::from_utf8(flipped(NOW_SECRET, bit)) && !secret.trim().is_empty() && !secret.contains(',') {
            prop_assert!(verify(&nowpayments(&secret), NOW_SIGNATURE.as_bytes(), NOW_BODY.as_bytes()).is_err());
        }
    }

    /// No bytes at all make the reader panic, and none are believed.
    #[test]
    fn noise_is_refused(body in proptest::collection::vec(any::<u8>(), 0..300), signature in ".{0,140}") {
        for processor in [btcpay(BTC_SECRET), nowpayments(NOW_SECRET)] {
            prop_assert!(verify(&processor, signature.as_bytes(), &body).is_err());
        }
    }
}
