//! Every way a wire can fail, with real sockets: what class comes out, and whether the request had left.

use std::time::{Duration, Instant};

use nproxy::adapters::images::{Access, Http, ProxyUrl, Route};
use secrecy::SecretString;

use super::peer::{AMPLE, PNG, Peer, REQUEST, SECRET, SOON, expect, gemini, generate, json, picture};

#[tokio::test]
async fn a_picture_arrives() {
    let vendor = Peer::saying(picture()).await;
    let output = generate(&vendor.http(), "", AMPLE).await.unwrap();
    assert_eq!(output.bytes, PNG);
    assert_eq!(output.mime, "image/png");
    assert_eq!((output.usage.prompt_tokens, output.usage.output_tokens), (9, 1200));
    assert_eq!(output.response_id.as_deref(), Some("abc"));
    assert_eq!(vendor.calls(), 1);
}

#[tokio::test]
async fn nobody_listens() {
    expect(&generate(&format!("http://{}", Peer::nobody().await), "", AMPLE).await, "not_sent");
}

/// X19: a vendor that does not even answer the knock.
#[tokio::test]
async fn the_connection_hangs() {
    let (addr, _held) = Peer::full().await;
    for scheme in ["http", "https"] {
        expect(&generate(&format!("{scheme}://{addr}"), "", SOON).await, "not_sent");
    }
}

#[tokio::test]
async fn the_name_is_unknown() {
    expect(&generate("http://nobody.invalid", "", AMPLE).await, "not_sent");
}

#[tokio::test]
async fn tls_is_garbage_closed_or_silent() {
    let garbage = Peer::new(|mut line| async move { line.say("HTTP/1.1 400 Bad Request\r\n\r\n").await }).await;
    expect(&generate(&garbage.https(), "", AMPLE).await, "not_sent");
    let closed = Peer::new(|line| async move { line.reset() }).await;
    expect(&generate(&closed.https(), "", AMPLE).await, "not_sent");
    let silent = Peer::new(|mut line| async move { line.wait().await }).await;
    expect(&generate(&silent.https(), "", SOON).await, "not_sent");
    assert!(!silent.heard().contains(SECRET));
}

#[tokio::test]
async fn reset_after_the_request() {
    let vendor = Peer::new(|mut line| async move {
        line.request().await;
        line.reset();
    })
    .await;
    expect(&generate(&vendor.http(), "", AMPLE).await, "ambiguous");
    assert_eq!(vendor.calls(), 1, "never repeated on its own");
}

#[tokio::test]
async fn closed_after_the_request() {
    expect(&generate(&Peer::saying("").await.http(), "", AMPLE).await, "ambiguous");
}

#[tokio::test]
async fn the_answer_is_not_http() {
    expect(&generate(&Peer::saying("hello?\r\n\r\n").await.http(), "", AMPLE).await, "ambiguous");
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let vendor = Peer::silent().await;
    let start = Instant::now();
    expect(&generate(&vendor.http(), "", SOON).await, "ambiguous");
    assert!(start.elapsed() < SOON * 4, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_drip_does_not_move_the_deadline() {
    for (status, wanted) in [(200, "ambiguous"), (429, "transient")] {
        let vendor = Peer::new(move |mut line| async move {
            line.request().await;
            line.say(format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"))
                .await;
            while line.socket.writable().await.is_ok() && line.socket.try_write(b" ").is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let start = Instant::now();
        expect(&generate(&vendor.http(), "", SOON).await, wanted);
        assert!(start.elapsed() < SOON * 4, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn headers_that_drip_end_at_the_deadline() {
    let vendor = Peer::new(|mut line| async move {
        line.request().await;
        line.say("HTTP/1.1 200 OK\r\n").await;
        while line.socket.try_write(b"a: b\r\n").is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    expect(&generate(&vendor.http(), "", SOON).await, "ambiguous");
}

#[tokio::test]
async fn cut_in_the_middle_of_the_answer() {
    let whole = picture();
    let sized = Peer::saying(&whole[..whole.len() - 40]).await;
    expect(&generate(&sized.http(), "", AMPLE).await, "ambiguous");
    let chunked =
        Peer::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"candidates\":[{\r\n").await;
    expect(&generate(&chunked.http(), "", AMPLE).await, "ambiguous");
    // A refusal that is cut made nothing, and is not believed either.
    let refused = json(401, r#"{"error":{"code":401,"message":"no","status":"UNAUTHENTICATED"}}"#);
    let refused = Peer::saying(&refused[..refused.len() - 5]).await;
    expect(&generate(&refused.http(), "", AMPLE).await, "transient");
}

#[tokio::test]
async fn an_answer_that_is_whole_counts_however_the_line_ends() {
    let longer = |answer: Vec<u8>| String::from_utf8(answer).unwrap().replace("Content-Length: ", "Content-Length: 9");
    let vendor = Peer::saying(longer(picture())).await;
    expect(&generate(&vendor.http(), "", AMPLE).await, "delivered");
    let refused = json(401, r#"{"error":{"code":401,"message":"no","status":"UNAUTHENTICATED"}}"#);
    let vendor = Peer::saying(longer(refused)).await;
    expect(&generate(&vendor.http(), "", AMPLE).await, "credential");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Peer::saying(picture()).await;
    let vendor =
        Peer::saying(format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.http()))
            .await;
    expect(&generate(&vendor.http(), "", AMPLE).await, "transient");
    assert_eq!(elsewhere.calls(), 0);
}

#[tokio::test]
async fn two_calls_are_two_connections() {
    let vendor = Peer::new(|mut line| async move {
        loop {
            if line.request().await.is_empty() {
                return;
            }
            line.say(picture()).await;
        }
    })
    .await;
    let (http, provider, secret) = (Http::new().unwrap(), gemini(&vendor.http()), SecretString::from(SECRET));
    for _ in 0..2 {
        provider.generate(&http, Access { secret: &secret, proxy: None }, &REQUEST, AMPLE).await.unwrap();
    }
    assert_eq!(vendor.calls(), 2);
}

/// Behind TLS a proxy cannot answer in the vendor's place.
#[test]
fn which_way_a_call_goes() {
    for (url, proxy, route) in [
        ("http://vendor.example", None, Route::Direct),
        ("https://vendor.example", None, Route::Direct),
        ("http://vendor.example", Some("http://proxy.example:1"), Route::Proxied),
        ("https://vendor.example", Some("http://proxy.example:1"), Route::Tunnelled),
        ("http://vendor.example", Some("socks5://proxy.example:1"), Route::Tunnelled),
        ("https://vendor.example", Some("socks5h://proxy.example:1"), Route::Tunnelled),
    ] {
        let through = proxy.map(|it| ProxyUrl::parse(it).unwrap());
        assert_eq!(Route::of(&url.parse().unwrap(), through.as_ref()), route, "{url} {proxy:?}");
    }
}
