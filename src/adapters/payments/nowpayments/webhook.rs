use bytes::Bytes;
use reqwest::header::HeaderMap;

use super::{
    canonical::{FORMS, canonical},
    literal::Literal,
};
use crate::adapters::payments::{Event, Forged, WebhookSecrets, http::is_id};

const HEADER: &str = "x-nowpayments-sig";
/// SHA-512 in hex.
const SIGNATURE_LEN: usize = 128;

/// `x-nowpayments-sig: {hex HMAC-SHA512(secret, canonical body)}`.
pub(super) fn verify(secrets: &WebhookSecrets, headers: &HeaderMap, body: &Bytes) -> Result<Event, Forged> {
    let signature = headers.get(HEADER).ok_or(Forged::Unsigned)?.to_str().map_err(|_| Forged::Mismatch)?;
    // Before any work is done for it: strangers send what they like.
    if signature.len() != SIGNATURE_LEN {
        return Err(Forged::Mismatch);
    }
    let value = Literal::parse(body).ok_or(Forged::Unreadable)?;
    if !FORMS.iter().any(|form| secrets.signed_sha512(canonical(&value, *form).as_bytes(), signature)) {
        return Err(Forged::Mismatch);
    }
    event(&value).ok_or(Forged::Unreadable)
}

fn event(value: &Literal) -> Option<Event> {
    let id = |name| value.text(name).filter(|it| is_id(it));
    let (payment, kind) = (id("payment_id")?, id("payment_status")?);
    // There is no delivery id. A repeated notification repeats the state and the amounts; what differs in them is news.
    let amounts = ["actually_paid", "outcome_amount"].map(|it| value.text(it).unwrap_or_default());
    let dedupe_keys = vec![format!("fact:{payment}:{kind}:{}", amounts.join(":"))];
    Some(Event {
        dedupe_keys,
        reference: id("invoice_id").map(str::to_owned),
        payment: Some(payment.to_owned()),
        parent: id("parent_payment_id").map(str::to_owned),
        order_id: value.text("order_id").map(str::to_owned),
        kind: kind.to_owned(),
        is_refund: false,
        redelivery: false,
    })
}
