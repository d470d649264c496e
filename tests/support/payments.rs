//! Paying at the sandbox's processors, and webhooks as they send them.

use hmac::{Hmac, Mac};
use nproxy::models::invoices;
use sandbox::{Amount, btcpay::Way};
use serde_json::json;
use sha2::Sha256;

use super::{Person, Process, TestApp};

impl TestApp {
    /// Presses the button of a processor on the billing page; the path of the invoice's page.
    pub async fn bill(&self, person: &Person, processor: &str) -> String {
        let page = person.get("/app/billing").await.html();
        let forms = page.attributes("form[action='/app/billing/invoices'] [name=processor]", "value");
        assert!(forms.iter().any(|offered| offered == processor), "{processor} is on offer: {forms:?}");
        let answer = person.post("/app/billing/invoices", &[("processor", processor)]).await;
        assert_eq!(answer.status, 303, "{}", answer.html().text());
        answer.location()
    }

    /// The row behind an invoice's page.
    pub async fn invoice(&self, path: &str) -> invoices::Model {
        let pid = path.rsplit('/').next().unwrap().replace('-', "");
        let column = if super::is_postgres() { "REPLACE(CAST(pid AS TEXT), '-', '')" } else { "LOWER(HEX(pid))" };
        let id = self.count(&format!("SELECT id FROM invoices WHERE {column} = '{pid}'")).await;
        invoices::by_id(&self.ctx.db, id).await.unwrap().unwrap()
    }

    /// The processor's id of an invoice.
    pub async fn reference(&self, path: &str) -> String {
        self.invoice(path).await.processor_ref.unwrap()
    }

    /// Pays an invoice at the `BTCPay` server in one go.
    pub async fn pay_with_lightning(&self, path: &str) {
        let reference = self.reference(path).await;
        self.sandbox.btcpay().pay(&reference, Way::Lightning, Amount::Due).unwrap();
    }

    /// A delivery of the `BTCPay` store's webhook; what we answered.
    pub async fn deliver(&self, delivery: &str, kind: &str, reference: &str, secret: &str) -> u16 {
        self.post_webhook("btcpay", delivery_of(delivery, kind, reference), secret).await
    }

    /// Any body, signed like `BTCPay` does.
    pub async fn post_webhook(&self, processor: &str, body: String, secret: &str) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        self.post_webhook_by(&client, processor, body, secret).await
    }

    /// The same by somebody who keeps connections open, as processors do.
    pub async fn post_webhook_by(&self, client: &reqwest::Client, processor: &str, body: String, secret: &str) -> u16 {
        post(client, &self.url, processor, body, secret).await
    }

    /// What is still to be told, by the ids of the notifications.
    pub async fn unsent(&self) -> Vec<i64> {
        super::bulk::ids(
            &self.ctx.db,
            "SELECT id FROM notifications WHERE sent_at IS NULL AND error IS NULL ORDER BY id",
        )
        .await
    }

    /// Months that were given for payments.
    pub async fn months(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM allowances WHERE source LIKE 'invoice:%'").await
    }
}

impl Process {
    /// A delivery of `BTCPay`'s webhook to this process; what it answered.
    pub async fn webhook(&self, body: String, secret: &str) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        post(&client, &self.url, "btcpay", body, secret).await
    }
}

async fn post(client: &reqwest::Client, url: &str, processor: &str, body: String, secret: &str) -> u16 {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&body);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = client.post(format!("{url}/webhooks/{processor}")).body(body);
    let request = request.header("btcpay-sig", format!("sha256={signature}"));
    request.send().await.unwrap().status().as_u16()
}

/// What the store's webhook says.
pub fn delivery_of(delivery: &str, kind: &str, reference: &str) -> String {
    json!({
        "deliveryId": delivery, "originalDeliveryId": delivery, "isRedelivery": false, "type": kind,
        "timestamp": 1_795_000_000, "storeId": sandbox::btcpay::STORE_ID, "invoiceId": reference,
    })
    .to_string()
}
