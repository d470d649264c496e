//! A stand-in for a BTCPay Server with one store.

use serde_json::{Value, json};

/// The only store.
pub const STORE_ID: &str = "SandboxStore1";
/// May do everything in it.
pub const API_KEY: &str = "sandbox-btcpay-key";
/// Deliveries are signed with it.
pub const WEBHOOK_SECRET: &str = "sandbox-btcpay-secret";

/// What a client has to be told to use the stand-in at `url`.
pub fn settings(url: &str) -> Value {
    json!({"url": url, "store_id": STORE_ID, "api_key": API_KEY, "webhook_secret": WEBHOOK_SECRET})
}
