//! Balances, as gateways of the one-api family tell them.

use reqwest::Method;
use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use crate::support::{KEY, MODEL, ask, call, client, start};

async fn told(sandbox: &Sandbox, what: &str, key: &str) -> (u16, Value) {
    let url = format!("{}/v1/dashboard/billing/{what}", sandbox.url());
    let answer = client().get(url).bearer_auth(key).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn what_is_granted_less_what_is_used_is_what_was_set() {
    let sandbox = start().await;
    let (status, limit) = told(&sandbox, "subscription", KEY).await;
    assert_eq!((status, &limit["object"]), (200, &json!("billing_subscription")));
    assert_eq!(limit["hard_limit_usd"], json!(1e8), "no limit until one is set");
    let (_, usage) = told(&sandbox, "usage?start_date=2026-08-01&end_date=2026-11-21", KEY).await;
    assert_eq!(usage, json!({"object": "list", "total_usage": 1234.5678}));

    sandbox.gemini().balance(KEY, 2_500_000);
    assert_eq!(told(&sandbox, "subscription", KEY).await.1["hard_limit_usd"], json!(14.845678));
    assert_eq!(told(&sandbox, "subscription", "sandbox-two").await.1["hard_limit_usd"], json!(1e8));

    let set = json!({"key": KEY, "micros": -12_345_678});
    let url = format!("{}/sandbox/balances", sandbox.url());
    assert_eq!(client().request(Method::POST, url).json(&set).send().await.unwrap().status(), 204);
    assert_eq!(told(&sandbox, "subscription", KEY).await.1["hard_limit_usd"], json!(0.0));
}

#[tokio::test]
async fn with_nothing_left_there_is_no_picture() {
    let sandbox = start().await;
    sandbox.gemini().balance(KEY, 1);
    assert_eq!(call(&sandbox, MODEL, &ask("a coin")).await.0, 200);
    sandbox.gemini().balance(KEY, 0);
    let (status, body) = call(&sandbox, MODEL, &ask("a coin")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (403, &json!("insufficient_user_quota")));
    assert_eq!(body["error"]["type"], "one_api_error");
}

#[tokio::test]
async fn the_question_fails_as_told() {
    let sandbox = start().await;
    let (status, body) = told(&sandbox, "subscription", "stranger").await;
    assert_eq!((status, &body["error"]["type"]), (401, &json!("one_api_error")));
    sandbox.gemini().withhold_balances(true);
    for what in ["subscription", "usage"] {
        let (status, body) = told(&sandbox, what, KEY).await;
        assert_eq!(status, 200);
        assert!(body["error"]["message"].as_str().unwrap().starts_with("record not found"), "{body}");
    }
    assert_eq!(call(&sandbox, MODEL, &ask("a coin")).await.0, 200, "all else works");
    sandbox.gemini().withhold_balances(false);
    sandbox.gemini().fault(KEY, Fault::Status { code: 500 });
    assert_eq!(told(&sandbox, "usage", KEY).await.0, 500);
    sandbox.gemini().fault(KEY, Fault::DailyQuota);
    assert_eq!(told(&sandbox, "usage", KEY).await.0, 200, "only faults of the line and the key concern it");
}
