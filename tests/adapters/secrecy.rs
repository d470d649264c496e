//! A canary in every secret place, looked for in everything that can be printed.

use nproxy::adapters::images::{Access, Evidence, Http, InputImage, ProxyUrl, Request};
use secrecy::SecretString;

use super::peer::{AMPLE, Peer, SECRET, gemini, json, picture};

const PASSWORD: &str = "hunter2-canary";
const PROMPT: &str = "a canary in a \"coal\" mine";

fn clean(printed: &str) {
    for private in [SECRET, PASSWORD, PROMPT, "coal"] {
        assert!(!printed.contains(private), "{private} in {printed}");
    }
}

#[tokio::test]
async fn nothing_printed_holds_a_secret() {
    let echo = serde_json::json!({"error": {"code": 403, "status": "PERMISSION_DENIED",
        "message": format!("Permission denied: Consumer 'api_key:{SECRET}' has been suspended. {PROMPT} {PASSWORD}\u{7}\r\n")}});
    let answers = [json(403, echo.to_string()), picture(), Vec::new()];
    for answer in answers {
        let vendor = Peer::saying(answer).await;
        let secret = SecretString::from(SECRET);
        let proxy = ProxyUrl::parse(&format!("http://ada:{PASSWORD}@{}", vendor.addr)).unwrap();
        let access = Access { secret: &secret, proxy: Some(&proxy) };
        let input = InputImage { mime: "image/png", bytes: b"coal", strength: 0.5 };
        let request =
            Request { prompt: PROMPT, input: Some(input), wire_model: "m", aspect_ratio: None, resolution: None };
        let (provider, http) = (gemini(&vendor.http()), Http::new().unwrap());
        let outcome = provider.generate(&http, access, &request, AMPLE).await;
        clean(&format!("{access:?} {request:?} {provider:?} {http:?} {proxy} {outcome:?} {outcome:#?}"));
        if let Err(failure) = outcome {
            clean(&failure.to_string());
            assert!(failure.detail().chars().all(|c| !c.is_control()), "{failure:?}");
        }
    }
    // A dead proxy, whose address is in the error.
    let secret = SecretString::from(SECRET);
    let proxy = ProxyUrl::parse(&format!("socks5h://ada:{PASSWORD}@{}", Peer::nobody().await)).unwrap();
    let access = Access { secret: &secret, proxy: Some(&proxy) };
    let request = Request { prompt: PROMPT, input: None, wire_model: "m", aspect_ratio: None, resolution: None };
    let failure =
        gemini("https://vendor.invalid").generate(&Http::new().unwrap(), access, &request, AMPLE).await.unwrap_err();
    clean(&format!("{failure:?} {failure}"));
}

#[test]
fn a_secret_at_the_cut_is_not_cut_in_half() {
    let detail = format!("{}{SECRET}", "x".repeat(Evidence::DETAIL_CHARS - 10));
    let evidence = Evidence::new(None, &detail, &[SECRET]);
    assert!(!evidence.detail.contains(&SECRET[..5]), "{evidence:?}");
    assert_eq!(Evidence::new(Some(500), &"é\n".repeat(900), &[]).detail.chars().count(), Evidence::DETAIL_CHARS - 1);
}
