//! A stand-in for NOWPayments.

use serde_json::{Value, json};

/// The merchant's key.
pub const API_KEY: &str = "SANDBOX-NOWPAYMENTS-KEY";
/// Notifications are signed with it.
pub const IPN_SECRET: &str = "sandbox-ipn-secret";
/// The merchant's sign-in, for the list of payments.
pub const EMAIL: &str = "merchant@sandbox.localhost";
pub const PASSWORD: &str = "sandbox-merchant";

/// What a client has to be told to use the stand-in at `url`.
pub fn settings(url: &str) -> Value {
    json!({"url": url, "api_key": API_KEY, "ipn_secret": IPN_SECRET, "email": EMAIL, "password": PASSWORD})
}
