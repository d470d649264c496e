//! Every way a wire can fail, with real sockets: what class comes out, and whether the request had left.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use nproxy::adapters::images::{Access, CHECK_DEADLINE, Failure, Http, Output, ProxyUrl, Route};
use secrecy::SecretString;

use super::peer::{AMPLE, PNG, Peer, REQUEST, SECRET, SOON, answer, check, gemini, generate, html, json, picture};

type Outcome = Result<Output, Failure>;

/// `not_sent`, or `proxy_fault before` / `proxy_fault after` by whether the request had left.
fn class(outcome: &Outcome) -> String {
    match outcome {
        Ok(_) => Output::CLASS.to_owned(),
        Err(failure @ Failure::ProxyFault { request_sent, .. }) => {
            assert_eq!(failure.may_go_direct(), !request_sent);
            format!("proxy_fault {}", if *request_sent { "after" } else { "before" })
        }
        Err(failure) => {
            assert!(!failure.may_go_direct());
            failure.class().to_owned()
        }
    }
}

#[track_caller]
fn expect(outcome: &Outcome, wanted: &str) {
    assert_eq!(class(outcome), wanted, "{outcome:?}");
}

// Directly.

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
async fn an_endless_answer_is_cut() {
    // What the sockets buffer comes on top: a few MiB.
    for (status, wanted, at_most_mib) in [(200, "ambiguous", 60), (500, "transient", 12)] {
        let mib = Arc::new(AtomicUsize::new(0));
        let written = mib.clone();
        let vendor = Peer::new(move |mut line| {
            let written = written.clone();
            async move {
                use tokio::io::AsyncWriteExt as _;
                line.request().await;
                line.say(format!("HTTP/1.1 {status} X\r\n\r\n{{\"candidates\":[{{\"x\":\"")).await;
                let block = vec![b'A'; 1 << 20];
                while written.load(Ordering::SeqCst) < 200 && line.socket.write_all(&block).await.is_ok() {
                    written.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
        .await;
        expect(&generate(&vendor.http(), "", AMPLE).await, wanted);
        assert!(mib.load(Ordering::SeqCst) <= at_most_mib, "{mib:?} MiB for a {status}");
    }
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
async fn nothing_is_unpacked() {
    let mut packed =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n"
            .to_vec();
    packed.extend_from_slice(b"\x1f\x8b\x08\0\0\0\0\0\0\xff");
    let vendor = Peer::saying(packed).await;
    expect(&generate(&vendor.http(), "", AMPLE).await, "transient");
    assert!(vendor.heard().contains("accept-encoding: identity\r\n"), "{}", vendor.heard());
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

// Through an HTTP proxy to plain http: the proxy answers in the vendor's place.

#[tokio::test]
async fn the_proxy_passes_it_on() {
    let proxy = Peer::saying(picture()).await;
    let url = format!("http://ada:p%40ss@{}", proxy.addr);
    expect(&generate("http://vendor.invalid", &url, AMPLE).await, "delivered");
    let heard = proxy.heard();
    assert!(heard.starts_with("POST http://vendor.invalid/v1beta/models/"), "{heard}");
    assert!(heard.contains("proxy-authorization: Basic YWRhOnBAc3M=\r\n"), "{heard}");
}

#[tokio::test]
async fn nobody_listens_at_the_proxy() {
    let proxy = format!("http://{}", Peer::nobody().await);
    expect(&generate("http://vendor.invalid", &proxy, AMPLE).await, "proxy_fault before");
    expect(&generate("https://vendor.invalid", &proxy, AMPLE).await, "proxy_fault before");
    expect(&generate("https://vendor.invalid", "http://nobody.invalid:3128", AMPLE).await, "proxy_fault before");
}

#[tokio::test]
async fn the_proxy_answers_itself() {
    for (status, wanted) in [
        (401, "proxy_fault before"),
        (403, "proxy_fault before"),
        (407, "proxy_fault before"),
        (302, "proxy_fault after"),
        (502, "proxy_fault after"),
        (503, "proxy_fault after"),
        (504, "proxy_fault after"),
        (200, "proxy_fault after"),
    ] {
        let proxy = Peer::saying(html(status)).await;
        expect(&generate("http://vendor.invalid", &proxy.http(), AMPLE).await, wanted);
    }
}

#[tokio::test]
async fn the_proxy_hangs_or_dies_with_the_request_in_hand() {
    let silent = Peer::silent().await;
    expect(&generate("http://vendor.invalid", &silent.http(), SOON).await, "ambiguous");
    let dying = Peer::saying("").await;
    expect(&generate("http://vendor.invalid", &dying.http(), AMPLE).await, "ambiguous");
}

// Through an HTTP proxy to https: CONNECT.

#[tokio::test]
async fn connect_is_refused() {
    for answer in [
        html(401),
        html(403),
        html(407),
        html(502),
        b"HTTP/1.1 2000 OK\r\n\r\n".to_vec(),
        b"nonsense\r\n\r\n".to_vec(),
        Vec::new(),
    ] {
        let proxy = Peer::saying(answer.clone()).await;
        let outcome = generate("https://vendor.invalid", &proxy.http(), AMPLE).await;
        assert_eq!(class(&outcome), "proxy_fault before", "{} {outcome:?}", String::from_utf8_lossy(&answer));
        assert!(proxy.heard().starts_with("CONNECT vendor.invalid:443 "), "{}", proxy.heard());
        assert!(!proxy.heard().contains(SECRET));
    }
}

#[tokio::test]
async fn connect_hangs() {
    let proxy = Peer::silent().await;
    expect(&generate("https://vendor.invalid", &proxy.http(), SOON).await, "proxy_fault before");
}

#[tokio::test]
async fn the_tunnel_leads_to_no_tls_we_trust() {
    for then in ["HTTP/1.1 200 OK\r\n\r\n", ""] {
        let proxy = Peer::new(move |mut line| async move {
            line.request().await;
            line.say("HTTP/1.1 200 Connection established\r\n\r\n").await;
            line.hear(&mut Vec::new()).await;
            line.say(then).await;
        })
        .await;
        expect(&generate("https://vendor.invalid", &proxy.http(), AMPLE).await, "proxy_fault before");
        assert!(!proxy.heard().contains(SECRET));
    }
    let silent = Peer::new(|mut line| async move {
        line.request().await;
        line.say("HTTP/1.1 200 OK\r\n\r\n").await;
        line.wait().await;
    })
    .await;
    expect(&generate("https://vendor.invalid", &silent.http(), SOON).await, "proxy_fault before");
}

// Through SOCKS5.

/// The handshake up to the reply code, then either the end or a tunnel to `target`.
async fn socks(reply: u8, target: Option<std::net::SocketAddr>) -> Peer {
    Peer::new(move |mut line| async move {
        let hello = line.exactly(2).await;
        line.exactly(hello[1].into()).await;
        line.say([5, 0]).await;
        let head = line.exactly(4).await;
        let address = match head[3] {
            1 => 4,
            3 => line.exactly(1).await[0].into(),
            _ => 16,
        };
        line.exactly(address + 2).await;
        line.say([5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        if let Some(target) = target {
            line.relay(target).await;
        }
    })
    .await
}

#[tokio::test]
async fn socks_carries_the_bytes() {
    let vendor = Peer::saying(picture()).await;
    let proxy = socks(0, Some(vendor.addr)).await;
    expect(&generate(&vendor.http(), &format!("socks5://{}", proxy.addr), AMPLE).await, "delivered");
    expect(&generate("http://vendor.invalid", &format!("socks5h://{}", proxy.addr), AMPLE).await, "delivered");
    assert!(vendor.heard().starts_with("POST /v1beta/"), "{}", vendor.heard());
}

#[tokio::test]
async fn socks_fails_before_the_request() {
    let nobody = Peer::nobody().await;
    let unreachable = socks(4, None).await;
    let not_socks = Peer::new(|mut line| async move {
        line.hear(&mut Vec::new()).await;
        line.say(html(400)).await;
    })
    .await;
    let closed = Peer::new(|line| async move { line.reset() }).await;
    let rejects_login = Peer::new(|mut line| async move {
        let hello = line.exactly(2).await;
        line.exactly(hello[1].into()).await;
        line.say([5, 2]).await;
        line.hear(&mut Vec::new()).await;
        line.say([1, 1]).await;
        line.wait().await;
    })
    .await;
    let no_method = Peer::new(|mut line| async move {
        line.hear(&mut Vec::new()).await;
        line.say([5, 0xFF]).await;
    })
    .await;
    for proxy in [nobody, unreachable.addr, not_socks.addr, closed.addr, rejects_login.addr, no_method.addr] {
        for scheme in ["http", "https"] {
            let outcome =
                generate(&format!("{scheme}://vendor.invalid"), &format!("socks5h://ada:pass@{proxy}"), AMPLE).await;
            expect(&outcome, "proxy_fault before");
        }
    }
    let silent = Peer::new(|mut line| async move { line.wait().await }).await;
    expect(&generate("http://vendor.invalid", &format!("socks5h://{}", silent.addr), SOON).await, "proxy_fault before");
}

#[tokio::test]
async fn socks_fails_after_the_request() {
    let vendor = Peer::saying(html(502)).await;
    let proxy = socks(0, Some(vendor.addr)).await;
    expect(&generate(&vendor.http(), &format!("socks5h://{}", proxy.addr), AMPLE).await, "proxy_fault after");
    let vendor = Peer::saying("").await;
    let proxy = socks(0, Some(vendor.addr)).await;
    expect(&generate(&vendor.http(), &format!("socks5h://{}", proxy.addr), AMPLE).await, "ambiguous");
}

// The key test.

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
        (html(200), "transient"),
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
