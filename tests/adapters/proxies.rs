//! The same through proxies, played by a closure: what is theirs to answer for, and whether the request had left.

use super::peer::{AMPLE, Peer, SECRET, SOON, class, expect, generate, html, picture};

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
async fn the_connection_to_the_proxy_hangs() {
    let (addr, _held) = Peer::full().await;
    for (vendor, proxy) in [
        ("http://vendor.invalid", format!("http://{addr}")),
        ("https://vendor.invalid", format!("http://{addr}")),
        ("http://vendor.invalid", format!("socks5h://{addr}")),
    ] {
        expect(&generate(vendor, &proxy, SOON).await, "proxy_fault before");
    }
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
