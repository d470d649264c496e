//! Which models a vendor serves, as it lists them itself.

use std::time::Duration;

use nproxy::adapters::images::{Access, Failure, Http, ProxyUrl};
use sandbox::{Fault, Options, Proxy, ProxyFault, ProxyOptions, Sandbox};
use secrecy::SecretString;
use serde_json::json;

use super::peer::{Peer, SECRET, answer, gemini, html, json as told};

async fn list_through(base_url: &str, proxy: &str) -> Result<Option<Vec<String>>, Failure> {
    let secret = SecretString::from(SECRET);
    let proxy = (!proxy.is_empty()).then(|| ProxyUrl::parse(proxy).unwrap());
    let access = Access { secret: &secret, proxy: proxy.as_ref() };
    gemini(base_url).list_models(&Http::new().unwrap(), access).await
}

async fn list(base_url: &str) -> Result<Option<Vec<String>>, Failure> {
    list_through(base_url, "").await
}

fn ids(ids: &[&str]) -> Result<Option<Vec<String>>, Failure> {
    Ok(Some(ids.iter().map(|id| (*id).to_owned()).collect()))
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let vendor = Peer::new(|mut line| async move {
        let asked = line.request().await;
        line.say(match asked.contains("pageToken=") {
            false => {
                told(200, r#"{"models":[{"name":"models/a","displayName":"A"},{"name":"b"}],"nextPageToken":"c&d e"}"#)
            }
            true => told(200, r#"{"models":[{"name":"models/c"}],"nextPageToken":null}"#),
        })
        .await;
    })
    .await;
    assert_eq!(list(&format!("{}/reseller/", vendor.http())).await, ids(&["a", "b", "c"]));
    let heard = vendor.heard();
    let asked: Vec<&str> = heard.lines().filter(|line| line.starts_with("GET ")).collect();
    assert_eq!(asked[0], "GET /reseller/v1beta/models?pageSize=1000 HTTP/1.1", "{heard}");
    assert_eq!(asked[1], "GET /reseller/v1beta/models?pageSize=1000&pageToken=c%26d+e HTTP/1.1", "{heard}");
    assert_eq!(heard.matches(&format!("x-goog-api-key: {SECRET}\r\n")).count(), 2, "{heard}");
    assert_eq!(heard.matches(SECRET).count(), 2, "{heard}");
}

/// Gateways that pass nothing on but calls say so in many ways, and none of them is a fault.
#[tokio::test]
async fn a_gateway_need_not_keep_one() {
    let no_such_address =
        json!({"error": {"message": "Invalid URL (GET /v1beta/models)", "type": "invalid_request_error"}});
    for said in [
        html(404),
        html(405),
        told(501, "{}"),
        told(404, no_such_address.to_string()),
        told(404, r#"{"error":{"code":404,"message":"Not Found","status":"NOT_FOUND"}}"#),
        told(200, r#"{"object":"list","data":[{"id":"gemini-nano-banana-2.1"}]}"#),
        html(200),
    ] {
        let text = String::from_utf8_lossy(&said).into_owned();
        let vendor = Peer::saying(said).await;
        assert_eq!(list(&vendor.http()).await, Ok(None), "{text}");
    }
}

/// Nothing is made by a question, so no failure of one is ambiguous.
#[tokio::test]
async fn a_list_that_does_not_come_says_why() {
    let no_key = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}"#;
    for (said, wanted) in [
        (told(400, no_key), "credential"),
        (told(200, r#"{"error":{"code":401,"message":"no","status":"UNAUTHENTICATED"}}"#), "credential"),
        (told(401, json!({"error": {"message": "无效的令牌", "type": "new_api_error"}}).to_string()), "credential"),
        (told(429, r#"{"error":{"code":429,"message":"slowly","status":"RESOURCE_EXHAUSTED"}}"#), "rate_limited"),
        (html(402), "out_of_funds"),
        (html(401), "transient"),
        (html(502), "transient"),
        (html(504), "transient"),
        (told(200, r#"{"models":[{"name":"models/a"}],"nextPageToken":"again"}"#), "transient"),
        (cut_short(), "transient"),
        (Vec::new(), "transient"),
    ] {
        let text = String::from_utf8_lossy(&said).into_owned();
        let vendor = Peer::saying(said).await;
        let failure = list(&vendor.http()).await.unwrap_err();
        assert_eq!(failure.class(), wanted, "{text} {failure:?}");
        assert!(!failure.may_have_run() && !format!("{failure:?}").contains(SECRET), "{text} {failure:?}");
        assert!(vendor.calls() <= 10, "a list without an end is not read for ever");
    }
    assert_eq!(list(&format!("http://{}", Peer::nobody().await)).await.unwrap_err().class(), "not_sent");
}

/// Half a list says nothing of what is missing in it.
fn cut_short() -> Vec<u8> {
    let whole = answer(200, "application/json", r#"{"models":[{"name":"models/a"},{"name":"models/b"}]}"#);
    whole[..whole.len() - 10].to_vec()
}

#[tokio::test]
async fn the_sandbox_lists_what_it_serves() {
    let sandbox = Sandbox::start(Options { latency: Duration::ZERO, ..Options::default() }).await.unwrap();
    let served = list(&sandbox.url()).await.unwrap().unwrap();
    assert!(served.iter().any(|id| id == "gemini-nano-banana-2.1"), "{served:?}");
    sandbox.gemini().retire("gemini-nano-banana-2.1", true);
    let rest = list(&sandbox.url()).await.unwrap().unwrap();
    assert_eq!(rest.len() + 1, served.len(), "{rest:?}");

    let proxy = Proxy::start(ProxyOptions::default()).await.unwrap();
    assert_eq!(list_through(&sandbox.url(), &proxy.url()).await, Ok(Some(rest)));
    proxy.fail(Some(ProxyFault::Refuse407));
    let failure = list_through(&sandbox.url(), &proxy.url()).await.unwrap_err();
    assert!(failure.may_go_direct(), "{failure:?}");
    sandbox.gemini().fault(SECRET, Fault::Unauthenticated);
    assert_eq!(list(&sandbox.url()).await.unwrap_err().class(), "credential");
}
