//! The question that shows whether a key works.

use std::time::Instant;

use nproxy::adapters::images::CHECK_DEADLINE;

use super::peer::{AMPLE, Peer, SOON, answer, check, html, json};

#[tokio::test]
async fn a_key_is_tested_with_one_token_of_text() {
    let vendor = Peer::saying(json(
        200,
        r#"{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":1}}"#,
    ))
    .await;
    check(&vendor.http(), CHECK_DEADLINE).await.unwrap();
    let heard = vendor.heard();
    assert!(heard.starts_with("POST /v1beta/models/gemini-flash-lite-latest:generateContent HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains(r#""maxOutputTokens":1"#) && !heard.contains("IMAGE"), "{heard}");
}

#[tokio::test]
async fn a_key_that_fails_its_test_says_why() {
    for (answer, wanted) in [
        (
            json(
                400,
                r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#,
            ),
            "credential",
        ),
        (
            json(
                429,
                r#"{"error":{"code":429,"message":"Your prepayment credits are depleted.","status":"RESOURCE_EXHAUSTED"}}"#,
            ),
            "out_of_funds",
        ),
        (json(404, r#"{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}"#), "model_access"),
        (json(200, r#"{"candidates":[{"finishReason":"PUP_LIMITED_DISABLED"}]}"#), "credential"),
        (html(200), "ambiguous"),
        (answer(200, "application/json", "{}"), "transient"),
        (Vec::new(), "ambiguous"),
    ] {
        let vendor = Peer::saying(answer).await;
        assert_eq!(check(&vendor.http(), AMPLE).await.unwrap_err().class(), wanted);
    }
}

#[tokio::test]
async fn a_key_test_ends_at_its_deadline() {
    let vendor = Peer::silent().await;
    let start = Instant::now();
    assert_eq!(check(&vendor.http(), SOON).await.unwrap_err().class(), "ambiguous");
    assert!(start.elapsed() < SOON * 4, "{:?}", start.elapsed());
}
