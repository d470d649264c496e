//! Payment processors: signatures, truths, and every way a wire can fail.

mod decimals;
mod signatures;
mod truths;
mod webhooks;
mod wire;

use std::time::Duration;

use nproxy::adapters::payments::{Checkout, Failure, Http, Order, Price, Processor, Settings};
use serde_json::{Value, json};

pub const ORDER: &str = "np_01HZX";

/// The processor as the configuration tree would make it.
pub fn processor(name: &str, branch: &Value) -> Processor {
    let settings: Settings = serde_json::from_value(json!({ name: branch })).unwrap();
    settings.check().unwrap();
    settings.processor(name).unwrap()
}

pub fn btcpay(url: &str) -> Processor {
    processor("btcpay", &sandbox::btcpay::settings(url))
}

pub fn nowpayments(url: &str) -> Processor {
    processor("nowpayments", &sandbox::nowpayments::settings(url))
}

/// The merchant without a sign-in: only single payments can be asked for.
pub fn nowpayments_by_key_alone(url: &str) -> Processor {
    let mut branch = sandbox::nowpayments::settings(url);
    branch["email"] = json!("");
    branch["password"] = json!("");
    processor("nowpayments", &branch)
}

pub fn http(deadline: Duration) -> Http {
    Http::new(deadline).unwrap()
}

pub fn price() -> Price {
    Price::new(999, "usd")
}

/// An order of 9.99 US dollars.
pub async fn create(processor: &Processor, http: &Http, webhook_url: &str) -> Result<Checkout, Failure> {
    let order = Order {
        order_id: ORDER,
        price: &price(),
        description: "One month / Токены",
        buyer_email: Some("ada-canary@example.com"),
        return_url: &"http://localhost:5150/app/billing/invoices/1".parse().unwrap(),
        webhook_url: &webhook_url.parse().unwrap(),
        expires_in: Duration::from_secs(15 * 60),
    };
    processor.create(http, &order).await
}
