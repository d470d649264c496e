//! The exact JSON and headers that leave.

use nproxy::adapters::images::{
    Access, Failure, Http, InputImage, Refusal, Request, Settings,
    gemini::{self, Config},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::peer::{AMPLE, PNG, Peer, REQUEST, SECRET, gemini, generate, picture};

fn body(config: &Config, request: &Request<'_>) -> Value {
    serde_json::from_slice(&gemini::body(config, request).unwrap()).unwrap()
}

#[test]
fn text_to_image_sends_only_what_was_asked() {
    assert_eq!(
        String::from_utf8(gemini::body(&Config::default(), &REQUEST).unwrap()).unwrap(),
        r#"{"contents":[{"role":"user","parts":[{"text":"a fox made of paper"}]}],"generationConfig":{"responseModalities":["IMAGE"]}}"#
    );
}

#[test]
fn sizes_are_written_with_a_capital_k() {
    for (asked, sent) in [("512", "512"), ("1k", "1K"), ("2k", "2K"), ("4K", "4K")] {
        let request = Request { aspect_ratio: Some("16:9"), resolution: Some(asked), ..REQUEST };
        assert_eq!(
            body(&Config::default(), &request)["generationConfig"],
            json!({"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "16:9", "imageSize": sent}})
        );
    }
    let request = Request { aspect_ratio: Some("1:1"), ..REQUEST };
    assert_eq!(body(&Config::default(), &request)["generationConfig"]["imageConfig"], json!({"aspectRatio": "1:1"}));
}

#[test]
fn image_to_image_sends_the_text_then_the_picture() {
    let input = InputImage { mime: "image/png", bytes: &[0xFB, 0xEF, 0xFF, 0x00], strength: 0.35 };
    let request = Request { input: Some(input), ..REQUEST };
    assert_eq!(
        body(&Config::default(), &request),
        json!({
            "contents": [{"role": "user", "parts": [
                {"text": "a fox made of paper\n\nChange strength: 35%. Keep the main features of the original picture and change the rest to follow the description."},
                // The standard alphabet, padded.
                {"inlineData": {"mimeType": "image/png", "data": "++//AA=="}},
            ]}],
            "generationConfig": {"responseModalities": ["IMAGE"]},
        })
    );
}

#[test]
fn strength_is_said_in_whole_percent() {
    for (strength, said, word) in [
        (0.0, "Change strength: 0%. ", "close to the original"),
        (0.333, "Change strength: 33%. ", "close to the original"),
        (0.5, "Change strength: 50%. ", "main features"),
        (0.666, "Change strength: 67%. ", "Follow the description freely"),
        (1.0, "Change strength: 100%. ", "Follow the description freely"),
        (7.0, "Change strength: 100%. ", "Follow the description freely"),
        (-1.0, "Change strength: 0%. ", "close to the original"),
        (f32::NAN, "Change strength: 100%. ", "Follow the description freely"),
    ] {
        let request = Request { input: Some(InputImage { mime: "image/png", bytes: PNG, strength }), ..REQUEST };
        let body = body(&Config::default(), &request);
        let text = body["contents"][0]["parts"][0]["text"].as_str().unwrap();
        assert!(text.contains(said) && text.contains(word), "{strength}: {text}");
    }
}

#[test]
fn a_safety_threshold_is_sent_for_every_category() {
    let config = Config { safety_threshold: Some("BLOCK_ONLY_HIGH".to_owned()), ..Config::default() };
    assert_eq!(
        body(&config, &REQUEST)["safetySettings"],
        json!([
            {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"},
            {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_ONLY_HIGH"},
            {"category": "HARM_CATEGORY_SEXUALLY_EXPLICIT", "threshold": "BLOCK_ONLY_HIGH"},
            {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "threshold": "BLOCK_ONLY_HIGH"},
        ])
    );
}

#[tokio::test]
async fn the_key_travels_in_its_header_only() {
    let vendor = Peer::saying(picture()).await;
    generate(&vendor.http(), "", AMPLE).await.unwrap();
    let heard = vendor.heard();
    assert!(heard.starts_with("POST /v1beta/models/gemini-nano-banana-2.1:generateContent HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("x-goog-api-key: {SECRET}\r\n")), "{heard}");
    assert_eq!(heard.matches(SECRET).count(), 1);
    assert!(heard.contains("content-type: application/json\r\n"), "{heard}");
    assert!(heard.contains("content-length: ") && !heard.contains("transfer-encoding"), "{heard}");
}

#[tokio::test]
async fn the_base_may_have_a_path_and_the_model_stays_one_segment() {
    for base in ["/reseller", "/reseller/"] {
        let vendor = Peer::saying(picture()).await;
        let secret = SecretString::from(SECRET);
        let request = Request { wire_model: "a/../b?c#d", ..REQUEST };
        let access = Access { secret: &secret, proxy: None };
        let provider = gemini(&format!("{}{base}", vendor.http()));
        provider.generate(&Http::new().unwrap(), access, &request, AMPLE).await.unwrap();
        let heard = vendor.heard();
        assert!(
            heard.starts_with("POST /reseller/v1beta/models/a%2F..%2Fb%3Fc%23d:generateContent HTTP/1.1\r\n"),
            "{heard}"
        );
    }
}

#[tokio::test]
async fn what_the_vendor_would_refuse_for_its_size_is_not_sent() {
    let vendor = Peer::saying(picture()).await;
    let mut settings = Settings::default();
    settings.gemini.base_url = vendor.http().parse().unwrap();
    settings.gemini.max_request_bytes = 1000;
    let secret = SecretString::from(SECRET);
    let pixels = vec![0; 800];
    let request = Request { input: Some(InputImage { mime: "image/png", bytes: &pixels, strength: 1.0 }), ..REQUEST };
    let access = Access { secret: &secret, proxy: None };
    let outcome = settings.provider("gemini").unwrap().generate(&Http::new().unwrap(), access, &request, AMPLE).await;
    assert!(matches!(outcome, Err(Failure::Refused { reason: Refusal::BadInput, .. })), "{outcome:?}");
    assert_eq!(vendor.calls(), 0);
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_a_bad_key() {
    let secret = SecretString::from("two\nlines");
    let access = Access { secret: &secret, proxy: None };
    let outcome = gemini("http://vendor.invalid").generate(&Http::new().unwrap(), access, &REQUEST, AMPLE).await;
    assert_eq!(outcome.unwrap_err().class(), "credential");
}

#[test]
fn settings_have_defaults_and_refuse_what_they_do_not_know() {
    let settings: Settings = serde_json::from_value(json!({})).unwrap();
    assert_eq!(settings.gemini.base_url.as_str(), "https://generativelanguage.googleapis.com/");
    let settings: Settings = serde_json::from_value(json!({"gemini": {"base_url": "http://127.0.0.1:9/x"}})).unwrap();
    assert_eq!(settings.gemini.base_url.as_str(), "http://127.0.0.1:9/x");
    assert_eq!(settings.gemini.text_model, Config::default().text_model);
    assert!(serde_json::from_value::<Settings>(json!({"gemini": {"base_uri": "http://127.0.0.1"}})).is_err());
    assert!(serde_json::from_value::<Settings>(json!({"gemini": {"base_url": "nowhere"}})).is_err());
    assert_eq!(settings.provider("gemini").unwrap().name(), "gemini");
    assert!(settings.provider("nobody").is_none());
}
