use std::time::{Duration, Instant};

use reqwest::Response;
use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use crate::support::{KEY, MODEL, ask, client, picture, send, start};

async fn with(sandbox: &Sandbox, fault: Fault) -> reqwest::Result<Response> {
    sandbox.gemini().fault(KEY, fault);
    send(sandbox, MODEL, KEY, &ask("a fault")).await
}

async fn body(sandbox: &Sandbox, fault: Fault) -> (u16, Value) {
    let response = with(sandbox, fault).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn errors_have_the_vendors_bodies() {
    let sandbox = start().await;
    for (fault, code, status, says) in [
        (Fault::Status { code: 500 }, 500, "INTERNAL", "internal error"),
        (Fault::Status { code: 503 }, 503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        (Fault::Status { code: 504 }, 504, "DEADLINE_EXCEEDED", "Deadline"),
        (Fault::Status { code: 499 }, 499, "CANCELLED", "cancelled"),
        (Fault::RateLimited { retry_after_s: Some(22) }, 429, "RESOURCE_EXHAUSTED", "Please retry in 22.4s."),
        (Fault::RateLimited { retry_after_s: None }, 429, "RESOURCE_EXHAUSTED", "check quota"),
        (Fault::RetryAfterHeader { seconds: 7 }, 429, "RESOURCE_EXHAUSTED", "check quota"),
        (Fault::DailyQuota, 429, "RESOURCE_EXHAUSTED", "per_day"),
        (Fault::NoFunds, 429, "RESOURCE_EXHAUSTED", "prepayment credits are depleted"),
        (Fault::PaymentRequired, 402, "RESOURCE_EXHAUSTED", "Payment required"),
        (Fault::SpendingCap, 429, "RESOURCE_EXHAUSTED", "exceeded its monthly spending cap"),
        (Fault::FreeTier, 429, "RESOURCE_EXHAUSTED", "limit: 0"),
        (Fault::Unauthenticated, 401, "UNAUTHENTICATED", "invalid authentication credentials"),
        (Fault::KeyInvalid, 400, "INVALID_ARGUMENT", "API key not valid"),
        (Fault::Leaked, 403, "PERMISSION_DENIED", "reported as leaked"),
        (Fault::ModelGone, 404, "NOT_FOUND", "is not found for API version"),
        (Fault::WrongCountry, 400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        (Fault::BadRequest, 400, "INVALID_ARGUMENT", "invalid argument"),
    ] {
        let (answered, body) = body(&sandbox, fault.clone()).await;
        let error = &body["error"];
        assert_eq!(
            (answered, error["code"].as_u64(), error["status"].as_str()),
            (code, Some(code.into()), Some(status)),
            "{fault:?}"
        );
        assert!(error["message"].as_str().unwrap().contains(says), "{fault:?}: {error}");
        let call = sandbox.gemini().calls().pop().unwrap();
        assert_eq!((call.status, call.fault), (code, Some(fault)));
    }
}

#[tokio::test]
async fn quota_details_tell_minutes_days_and_free_tiers_apart() {
    let sandbox = start().await;
    let detail = |body: &Value, kind: &str| -> Value {
        let details = body["error"]["details"].as_array().unwrap();
        let wanted = format!("type.googleapis.com/google.rpc.{kind}");
        details.iter().find(|detail| detail["@type"] == wanted).cloned().unwrap_or_default()
    };
    let quotas = |body: &Value| -> Vec<String> {
        let failure = detail(body, "QuotaFailure");
        failure["violations"].as_array().unwrap().iter().map(|it| it["quotaId"].as_str().unwrap().to_owned()).collect()
    };
    let (_, minute) = body(&sandbox, Fault::RateLimited { retry_after_s: Some(9) }).await;
    assert_eq!(detail(&minute, "RetryInfo")["retryDelay"], "9s");
    assert_eq!(quotas(&minute), ["GenerateRequestsPerMinutePerProjectPerModel"]);
    let (_, bare) = body(&sandbox, Fault::RateLimited { retry_after_s: None }).await;
    assert!(bare["error"]["details"].is_null());
    let (_, day) = body(&sandbox, Fault::DailyQuota).await;
    assert_eq!(quotas(&day), ["GenerateRequestsPerDayPerProjectPerModel"]);
    assert_eq!(detail(&day, "RetryInfo")["retryDelay"], "22s", "misleading, like the real one");
    let (_, free) = body(&sandbox, Fault::FreeTier).await;
    assert!(quotas(&free).iter().all(|id| id.ends_with("-FreeTier")));
    let header = with(&sandbox, Fault::RetryAfterHeader { seconds: 7 }).await.unwrap();
    assert_eq!(header.headers()["retry-after"], "7");
}

#[tokio::test]
async fn an_array_may_wrap_the_error() {
    let sandbox = start().await;
    let (status, body) = body(&sandbox, Fault::ArrayError { code: 503 }).await;
    assert_eq!((status, &body[0]["error"]["status"]), (503, &json!("UNAVAILABLE")));
}

#[tokio::test]
async fn two_hundred_without_a_picture() {
    let sandbox = start().await;
    let (status, prompt) = body(&sandbox, Fault::RefusedPrompt).await;
    assert_eq!((status, &prompt["promptFeedback"]["blockReason"]), (200, &json!("PROHIBITED_CONTENT")));
    assert!(prompt["candidates"].is_null());
    let (status, output) = body(&sandbox, Fault::RefusedOutput { finish_reason: "IMAGE_RECITATION".into() }).await;
    assert_eq!((status, &output["candidates"][0]["finishReason"]), (200, &json!("IMAGE_RECITATION")));
    assert_eq!(output["candidates"][0]["content"], json!({}));
    let (status, words) = body(&sandbox, Fault::Empty).await;
    assert_eq!((status, &words["candidates"][0]["finishReason"]), (200, &json!("STOP")));
    let parts = words["candidates"][0]["content"]["parts"].as_array().unwrap();
    assert!(parts.iter().all(|part| part["inlineData"].is_null()));
    assert!(sandbox.gemini().calls().iter().all(|call| call.picture.is_none()));
}

#[tokio::test]
async fn pictures_that_lie() {
    let sandbox = start().await;
    let (_, broken) = body(&sandbox, Fault::BadBase64).await;
    let data = broken["candidates"][0]["content"]["parts"][0]["inlineData"]["data"].as_str().unwrap();
    assert!(data.contains('*'));

    let (mime, text) = picture(&body(&sandbox, Fault::NotAPicture).await.1);
    assert_eq!(mime, "image/png");
    assert!(text.starts_with(b"This is only text"));

    let (mime, jpeg) = picture(&body(&sandbox, Fault::WrongMime).await.1);
    assert_eq!(mime, "image/png");
    assert!(jpeg.starts_with(&[0xff, 0xd8]));

    let (_, bomb) = picture(&body(&sandbox, Fault::Bomb).await.1);
    assert!(bomb.len() < 100);
    assert_eq!(sandbox::paint::dimensions(&bomb), Some((40_000, 40_000)));
}

#[tokio::test]
async fn thoughts_come_before_the_real_picture() {
    let sandbox = start().await;
    let (_, answer) = body(&sandbox, Fault::Thoughts).await;
    let parts = answer["candidates"][0]["content"]["parts"].as_array().unwrap();
    let thoughts = parts.iter().filter(|part| part["thought"] == true && part["inlineData"].is_object()).count();
    assert_eq!((thoughts, &answer["usageMetadata"]["thoughtsTokenCount"]), (2, &json!(80)));
    let call = sandbox.gemini().calls().pop().unwrap();
    assert_eq!(call.picture.as_deref(), Some(picture(&answer).1.as_slice()), "the last one is the answer");
}

#[tokio::test]
async fn answers_that_are_not_the_vendors() {
    let sandbox = start().await;
    let html = with(&sandbox, Fault::Html { code: 502 }).await.unwrap();
    assert_eq!((html.status().as_u16(), html.headers()["content-type"].to_str().unwrap()), (502, "text/html"));
    assert!(html.text().await.unwrap().contains("nginx"));
    let garbage = with(&sandbox, Fault::Garbage).await.unwrap();
    assert_eq!(garbage.status(), 200);
    assert!(garbage.json::<Value>().await.is_err());
}

#[tokio::test]
async fn connections_that_break() {
    let sandbox = start().await;
    let reset = with(&sandbox, Fault::Reset).await.unwrap_err();
    assert!(reset.is_request(), "{reset:?}");
    let call = sandbox.gemini().calls().pop().unwrap();
    assert_eq!((call.status, call.prompt.as_str()), (0, "a fault"), "it was read before it was cut");

    let cut = with(&sandbox, Fault::Truncated).await.unwrap();
    assert_eq!(cut.status(), 200);
    assert!(cut.content_length().unwrap() > 1000);
    assert!(cut.bytes().await.is_err());
}

#[tokio::test]
async fn answers_that_never_come() {
    let sandbox = start().await;
    let hang = tokio::time::timeout(Duration::from_millis(300), with(&sandbox, Fault::Hang)).await;
    assert!(hang.is_err());
    sandbox.gemini().fault(KEY, Fault::Latency { ms: 400 });
    let started = Instant::now();
    assert_eq!(send(&sandbox, MODEL, KEY, &ask("x")).await.unwrap().status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn bodies_that_do_not_end_soon() {
    let sandbox = start().await;
    let mut endless = with(&sandbox, Fault::EndlessBody).await.unwrap();
    assert_eq!(endless.content_length(), None);
    let mut read = 0;
    while read < 1_000_000 {
        read += endless.chunk().await.unwrap().unwrap().len();
    }
    assert_eq!(sandbox.gemini().in_flight(KEY), 1, "it lasts as long as its body");
    drop(endless);

    let huge = with(&sandbox, Fault::Huge).await.unwrap();
    assert!(huge.content_length().unwrap() > 100_000_000);
    drop(huge);

    let mut drip = with(&sandbox, Fault::Drip).await.unwrap();
    let started = Instant::now();
    assert_eq!(drip.chunk().await.unwrap().unwrap().len(), 1);
    assert_eq!(drip.chunk().await.unwrap().unwrap().len(), 1);
    assert!(started.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn a_fault_belongs_to_its_key_and_wears_off() {
    let sandbox = start().await;
    let status = async |key: &str| send(&sandbox, MODEL, key, &ask("x")).await.unwrap().status().as_u16();
    sandbox.gemini().fault_times(KEY, Fault::NoFunds, 2);
    assert_eq!(status("sandbox-two").await, 200);
    assert_eq!([status(KEY).await, status(KEY).await, status(KEY).await], [429, 429, 200]);

    sandbox.gemini().fault(sandbox::gemini::EVERY_KEY, Fault::Status { code: 503 });
    sandbox.gemini().fault(KEY, Fault::Leaked);
    assert_eq!([status("sandbox-two").await, status(KEY).await], [503, 403]);
    sandbox.gemini().heal(KEY);
    assert_eq!(status(KEY).await, 503);
    sandbox.gemini().heal_all();
    assert_eq!(status(KEY).await, 200);
}

#[tokio::test]
async fn money_does_not_matter_to_the_model_list() {
    let sandbox = start().await;
    let list = async || {
        let url = format!("{}/v1beta/models?key={KEY}", sandbox.url());
        client().get(url).send().await.unwrap().status().as_u16()
    };
    sandbox.gemini().fault_times(KEY, Fault::NoFunds, 1);
    assert_eq!(list().await, 200);
    assert_eq!(sandbox.gemini().faults().len(), 1, "nor does it use the fault up");
    sandbox.gemini().fault(KEY, Fault::Leaked);
    assert_eq!(list().await, 403);
}

#[test]
fn every_fault_survives_json() {
    for fault in Fault::examples() {
        let json = serde_json::to_value(&fault).unwrap();
        assert_eq!(json["kind"], fault.kind());
        assert_eq!(serde_json::from_value::<Fault>(json).unwrap(), fault);
    }
    assert_eq!(serde_json::from_value::<Fault>(json!({"kind": "status"})).unwrap(), Fault::Status { code: 503 });
}
