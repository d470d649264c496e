use std::time::{Duration, Instant};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sandbox::paint::{Format, Order, paint};
use serde_json::{Value, json};

use crate::support::{KEY, MODEL, ask, call, client, picture, refused, send, start};

#[tokio::test]
async fn text_becomes_a_jpeg_or_a_png_as_the_model_does() {
    let sandbox = start().await;
    let (status, answer) = call(&sandbox, MODEL, &ask("mountains at dawn")).await;
    assert_eq!(status, 200, "{answer}");
    let (mime, bytes) = picture(&answer);
    assert_eq!(mime, "image/jpeg");
    assert!(bytes.starts_with(&[0xff, 0xd8]));

    let candidate = &answer["candidates"][0];
    assert_eq!((&candidate["finishReason"], &candidate["index"]), (&json!("STOP"), &json!(0)));
    let parts = candidate["content"]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 1, "only the picture was asked for");
    assert!(parts[0]["thoughtSignature"].is_string());
    let usage = &answer["usageMetadata"];
    assert_eq!(usage["candidatesTokensDetails"], json!([{"modality": "IMAGE", "tokenCount": 1120}]));
    assert_eq!(
        usage["totalTokenCount"].as_u64().unwrap(),
        usage["promptTokenCount"].as_u64().unwrap() + usage["candidatesTokenCount"].as_u64().unwrap()
    );
    assert_eq!(answer["modelVersion"], MODEL);
    assert!(answer["responseId"].is_string());

    let (_, answer) = call(&sandbox, "gemini-2.5-flash-image", &ask("mountains at dawn")).await;
    let (mime, bytes) = picture(&answer);
    assert_eq!(mime, "image/png");
    assert!(bytes.starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn the_log_keeps_what_was_asked_and_the_exact_bytes_answered() {
    let sandbox = start().await;
    let (_, answer) = call(&sandbox, MODEL, &ask("a quiet sea")).await;
    let calls = sandbox.gemini().calls();
    let [call] = calls.as_slice() else { panic!("one call: {calls:?}") };
    assert_eq!((call.key.as_str(), call.model.as_str(), call.prompt.as_str()), (KEY, MODEL, "a quiet sea"));
    assert_eq!((call.aspect_ratio.as_deref(), call.image_size.as_deref()), (Some("1:1"), Some("1K")));
    assert_eq!((call.status, call.via_proxy, call.key_in_query), (200, false, false));
    assert_eq!(call.picture.as_deref(), Some(picture(&answer).1.as_slice()));
    assert!(call.finished_at.is_some() && call.thumbnail.is_some());
}

#[tokio::test]
async fn either_key_style_and_either_base64_alphabet_is_read() {
    let sandbox = start().await;
    let source = source();
    for (field, mime, data) in [
        ("inlineData", "mimeType", STANDARD.encode(&source)),
        ("inline_data", "mime_type", URL_SAFE_NO_PAD.encode(&source)),
        ("inlineData", "mime_type", URL_SAFE_NO_PAD.encode(&source)),
    ] {
        let body = json!({"contents": {"parts": [{"text": "at night"}, {field: {mime: "image/png", "data": data}}]},
            "generation_config": {"response_modalities": ["IMAGE"], "image_config": {"image_size": "1K"}}});
        let (status, answer) = call(&sandbox, MODEL, &body).await;
        assert_eq!(status, 200, "{answer}");
        let last = sandbox.gemini().calls().pop().unwrap();
        assert_eq!((last.inputs[0].mime.as_str(), last.inputs[0].len), ("image/png", source.len()));
        assert_eq!(last.inputs[0].bytes, source);
        assert!(last.body.to_string().len() < 1000, "inline data is shortened in the log");
        assert_eq!(answer["usageMetadata"]["promptTokensDetails"][1]["modality"], "IMAGE");
    }
}

#[tokio::test]
async fn keys_are_judged_as_google_judges_them() {
    let sandbox = start().await;
    let url = format!("{}/v1/models/{MODEL}:generateContent", sandbox.url());
    let body = ask("x");

    let none = client().post(&url).json(&body).send().await.unwrap();
    assert_eq!(none.status(), 403);
    let none: Value = none.json().await.unwrap();
    assert_eq!(none["error"]["status"], "PERMISSION_DENIED");
    assert!(none["error"]["message"].as_str().unwrap().contains("unregistered callers"));

    let wrong = send(&sandbox, MODEL, "sk-other", &body).await.unwrap();
    assert_eq!(wrong.status(), 400);
    let wrong: Value = wrong.json().await.unwrap();
    assert_eq!(wrong["error"]["details"][0]["reason"], "API_KEY_INVALID");
    assert_eq!(wrong["error"]["message"], "API key not valid. Please pass a valid API key.");

    let bearer = client().post(&url).bearer_auth(KEY).json(&body).send().await.unwrap();
    assert_eq!(bearer.status(), 401);

    let query = client().post(format!("{url}?key=AIzaSyExample")).json(&body).send().await.unwrap();
    assert_eq!(query.status(), 200);
    assert!(sandbox.gemini().calls().pop().unwrap().key_in_query);
}

#[tokio::test]
async fn a_request_is_read_as_strictly_as_by_the_vendor() {
    let sandbox = start().await;
    let with = |pointer: &str, value: Value| {
        let mut body = ask("x");
        if let Some(present) = body.pointer_mut(pointer) {
            *present = value;
            return body;
        }
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        body
    };
    let config = "/generationConfig";
    let image = "/generationConfig/imageConfig";
    for (body, says) in [
        (with(&format!("{config}/candidateCount"), json!(2)), "Multiple candidates is not enabled for this model"),
        (with(&format!("{config}/numberOfImages"), json!(2)), "Unknown name \"numberOfImages\" at 'generation_config'"),
        (with(&format!("{config}/aspectRatio"), json!("1:1")), "Unknown name \"aspectRatio\" at 'generation_config'"),
        (with("/contents/0/parts/0/prompt", json!("x")), "Unknown name \"prompt\" at 'contents[0].parts[0]'"),
        (with("/model_name", json!("x")), "Unknown name \"model_name\""),
        (with(&format!("{image}/aspectRatio"), json!("17:9")), "aspect_ratio must be one of '1:1'"),
        (with(&format!("{image}/imageSize"), json!("2k")), "image_size must be one of"),
        (
            with(&format!("{config}/responseModalities"), json!(["PICTURE"])),
            "Invalid value at 'generation_config.response_modalities[0]'",
        ),
        (with(&format!("{config}/responseModalities"), json!(["TEXT"])), "response modalities: text"),
        (with(&format!("{config}/responseMimeType"), json!("image/png")), "allowed mimetypes"),
        (with(&format!("{config}/temperature"), json!("warm")), "TYPE_FLOAT"),
        (with("/contents", json!([])), "contents is not specified"),
        (with("/contents/0/role", json!("system")), "valid role"),
        (
            with("/contents/0/parts/0", json!({"inlineData": {"mimeType": "image/png", "data": "a-b*"}})),
            "Base64 decoding failed",
        ),
        (
            with("/contents/0/parts/0", json!({"inlineData": {"mimeType": "image/tiff", "data": "AAAA"}})),
            "Unsupported MIME type",
        ),
        (
            with("/contents/0/parts/0", json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}})),
            "Unable to process input image",
        ),
    ] {
        refused(&call(&sandbox, MODEL, &body).await, says);
    }
    let two = with(&format!("{image}/imageSize"), json!("2K"));
    refused(&call(&sandbox, "gemini-3.1-flash-lite-image", &two).await, "image_size must be one of '1K'");
    let banner = with(&format!("{image}/aspectRatio"), json!("8:1"));
    refused(&call(&sandbox, "gemini-2.5-flash-image", &banner).await, "aspect_ratio");

    let raw = client().post(format!("{}/v1beta/models/{MODEL}:generateContent?key={KEY}", sandbox.url()));
    let answer = raw.body("{\"contents\":").send().await.unwrap();
    refused(&(answer.status(), answer.json().await.unwrap()), "Invalid JSON payload");
    assert!(sandbox.gemini().calls().iter().all(|call| call.status == 400));
}

#[tokio::test]
async fn too_much_inline_data_is_refused() {
    let sandbox = start().await;
    let much = "A".repeat(21 * 1024 * 1024);
    let body = json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": much}}]}]});
    refused(&call(&sandbox, MODEL, &body).await, "payload size exceeds the limit: 20971520 bytes");
}

#[tokio::test]
async fn retired_and_unknown_models_are_not_found() {
    let sandbox = start().await;
    for model in ["gemini-3-pro-image-preview", "gemini-3.1-flash-image", "gemini-2.0-flash", "gpt-image-1"] {
        let (status, body) = call(&sandbox, model, &json!({"contents": [{"parts": [{"text": "x"}]}]})).await;
        assert_eq!((status.as_u16(), &body["error"]["status"]), (404, &json!("NOT_FOUND")), "{model}");
        assert!(
            body["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with(&format!("models/{model} is not found for API version v1beta"))
        );
    }
}

#[tokio::test]
async fn a_cheap_text_call_and_the_model_list_test_a_key() {
    let sandbox = start().await;
    let body = json!({"contents": [{"parts": [{"text": "ping"}]}], "generationConfig": {"maxOutputTokens": 1}});
    let (status, answer) = call(&sandbox, "gemini-2.5-flash-lite", &body).await;
    assert_eq!((status.as_u16(), &answer["candidates"][0]["finishReason"]), (200, &json!("MAX_TOKENS")));
    assert!(answer["candidates"][0]["content"]["parts"][0]["text"].is_string());

    let get = async |path: &str, key: &str| {
        let answer =
            client().get(format!("{}{path}", sandbox.url())).header("x-goog-api-key", key).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, list) = get("/v1beta/models", KEY).await;
    assert_eq!(status, 200);
    assert!(list["models"].as_array().unwrap().iter().any(|model| model["name"] == format!("models/{MODEL}")));
    let (_, first) = get("/v1beta/models?pageSize=2", KEY).await;
    assert_eq!(first["models"].as_array().unwrap().len(), 2);
    let (_, second) = get("/v1beta/models?pageSize=2&pageToken=2", KEY).await;
    assert_ne!(first["models"][0], second["models"][0]);
    assert_eq!(get(&format!("/v1beta/models/{MODEL}"), KEY).await.0, 200);
    assert_eq!(get("/v1beta/models/gemini-3-pro-image-preview", KEY).await.0, 404);
    assert_eq!(get("/v1beta/models", "nonsense").await.0, 400);
    assert_eq!(sandbox.gemini().calls().len(), 1, "lists are not calls");
}

#[tokio::test]
async fn latency_includes_the_drawing_and_calls_in_flight_are_counted() {
    let sandbox = start().await;
    sandbox.gemini().latency(Duration::from_millis(600));
    let started = Instant::now();
    let body = ask("x");
    let three = futures::future::join_all((0..3).map(|_| send(&sandbox, MODEL, KEY, &body)));
    let watch = async {
        assert!(sandbox.gemini().wait_for_calls(3, Duration::from_secs(5)).await);
        assert_eq!(sandbox.gemini().in_flight(KEY), 3);
    };
    let (answers, ()) = tokio::join!(three, watch);
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status() == 200));
    assert!(started.elapsed() >= Duration::from_millis(590));
    assert_eq!((sandbox.gemini().in_flight(KEY), sandbox.gemini().max_in_flight(KEY)), (0, 3));
    assert_eq!(sandbox.gemini().max_in_flight("sandbox-two"), 0);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_call() {
    let sandbox = start().await;
    sandbox.gemini().latency(Duration::from_secs(30));
    let body = ask("x");
    let gone = tokio::time::timeout(Duration::from_millis(300), send(&sandbox, MODEL, KEY, &body)).await;
    assert!(gone.is_err());
    for _ in 0..200 {
        if sandbox.gemini().in_flight(KEY) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let call = sandbox.gemini().calls().pop().unwrap();
    assert_eq!((call.status, sandbox.gemini().in_flight(KEY)), (499, 0));
}

#[tokio::test]
async fn a_dropped_sandbox_stops_answering() {
    let sandbox = start().await;
    let url = sandbox.url();
    drop(sandbox);
    for _ in 0..100 {
        if client().get(&url).send().await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it still answers");
}

/// A small PNG to send along.
fn source() -> bytes::Bytes {
    let order = Order {
        prompt: "a red square".into(),
        variation: 0,
        width: 120,
        height: 80,
        inputs: Vec::new(),
        format: Format::Png,
        sketch: false,
    };
    paint(&order).unwrap().bytes
}
