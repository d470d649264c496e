use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Response, StatusCode};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

pub const KEY: &str = "sandbox-one";
pub const MODEL: &str = "gemini-nano-banana-2.1";

/// A sandbox without latency that draws quickly.
pub async fn start() -> Sandbox {
    let sandbox = Sandbox::start(Options { latency: Duration::ZERO, ..Options::default() }).await.unwrap();
    sandbox.gemini().sketch(true);
    sandbox
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub fn ask(prompt: &str) -> Value {
    json!({
        "contents": [{"role": "user", "parts": [{"text": prompt}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "1:1", "imageSize": "1K"}},
    })
}

pub async fn send(sandbox: &Sandbox, model: &str, key: &str, body: &Value) -> reqwest::Result<Response> {
    client()
        .post(format!("{}/v1beta/models/{model}:generateContent", sandbox.url()))
        .header("x-goog-api-key", key)
        .json(body)
        .send()
        .await
}

/// Status and JSON of one call.
pub async fn call(sandbox: &Sandbox, model: &str, body: &Value) -> (StatusCode, Value) {
    let response = send(sandbox, model, KEY, body).await.unwrap();
    (response.status(), response.json().await.unwrap())
}

/// MIME type and bytes of the last picture that is not a thought.
pub fn picture(answer: &Value) -> (String, Vec<u8>) {
    let parts = answer["candidates"][0]["content"]["parts"].as_array().expect("parts");
    let found =
        parts.iter().rfind(|part| part["inlineData"].is_object() && part["thought"] != true).expect("a picture");
    let inline = &found["inlineData"];
    (inline["mimeType"].as_str().unwrap().into(), STANDARD.decode(inline["data"].as_str().unwrap()).unwrap())
}

/// Asserts a 400 whose message says something.
#[track_caller]
pub fn refused((status, body): &(StatusCode, Value), says: &str) {
    assert_eq!(*status, 400, "{body}");
    assert_eq!(body["error"]["status"], "INVALID_ARGUMENT");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains(says), "{message}");
}
