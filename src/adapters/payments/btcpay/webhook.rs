use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use crate::adapters::payments::{Event, Forged, WebhookSecrets, http::is_id};

const HEADER: &str = "btcpay-sig";
/// A pull payment was made for an invoice, which itself does not change.
const REFUND: &str = "InvoiceRefund";

/// A delivery, as much of it as we use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    delivery_id: String,
    original_delivery_id: Option<String>,
    #[serde(default)]
    is_redelivery: bool,
    #[serde(rename = "type")]
    kind: String,
    invoice_id: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
    payment: Option<Payment>,
    /// Deliveries that differ in these tell different things.
    #[serde(default)]
    manually_marked: bool,
    #[serde(default)]
    over_paid: bool,
    #[serde(default)]
    after_expiration: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    order_id: Option<String>,
}

#[derive(Deserialize)]
struct Payment {
    id: String,
}

/// `BTCPay-Sig: sha256={hex HMAC-SHA256(secret, raw body)}`.
pub(super) fn verify(secrets: &WebhookSecrets, headers: &HeaderMap, body: &Bytes) -> Result<Event, Forged> {
    let signature = headers.get(HEADER).ok_or(Forged::Unsigned)?.to_str().map_err(|_| Forged::Mismatch)?;
    let hex = signature.strip_prefix("sha256=").ok_or(Forged::Mismatch)?;
    if !secrets.signed_sha256(body, hex) {
        return Err(Forged::Mismatch);
    }
    let it: Delivery = serde_json::from_slice(body).map_err(|_| Forged::Unreadable)?;
    it.event().ok_or(Forged::Unreadable)
}

impl Delivery {
    fn event(self) -> Option<Event> {
        let delivery = self.original_delivery_id.as_ref().unwrap_or(&self.delivery_id);
        if !is_id(delivery) || !is_id(&self.kind) || self.invoice_id.as_deref().is_some_and(|it| !is_id(it)) {
            return None;
        }
        let mut dedupe_keys = vec![format!("delivery:{delivery}")];
        // Two webhooks of one store, or a server that forgot what it delivered, say the same under another id. The
        // money may come and go and come again, so of what can repeat only single payments are told apart like this.
        if let (Some(invoice), Some(payment)) = (&self.invoice_id, &self.payment) {
            dedupe_keys.push(format!("fact:{invoice}:{}:{}:{}", self.kind, payment.id, self.after_expiration));
        } else if let (Some(invoice), "InvoiceSettled" | "InvoiceCreated") = (&self.invoice_id, self.kind.as_str()) {
            let flags = format!("{}:{}", self.manually_marked, self.over_paid);
            dedupe_keys.push(format!("fact:{invoice}:{}:{flags}", self.kind));
        }
        Some(Event {
            dedupe_keys,
            reference: self.invoice_id,
            payment: self.payment.map(|it| it.id),
            parent: None,
            order_id: self.metadata.and_then(|it| it.order_id),
            is_refund: self.kind == REFUND,
            kind: self.kind,
            redelivery: self.is_redelivery,
        })
    }
}
