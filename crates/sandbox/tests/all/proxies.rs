use std::time::Duration;

use reqwest::{Client, Url};
use sandbox::{Proxy, ProxyFault, ProxyKind, ProxyOptions, Sandbox};
use serde_json::Value;

use crate::support::{KEY, MODEL, ask, start};

fn through(proxy: &Proxy) -> Client {
    Client::builder().proxy(reqwest::Proxy::all(proxy.url()).unwrap()).build().unwrap()
}

async fn generate(client: &Client, sandbox: &Sandbox) -> reqwest::Result<reqwest::Response> {
    let url = format!("{}/v1beta/models/{MODEL}:generateContent", sandbox.url());
    client.post(url).header("x-goog-api-key", KEY).json(&ask("x")).send().await
}

fn login() -> Option<(String, String)> {
    Some(("user".into(), "secret".into()))
}

#[tokio::test]
async fn pictures_come_through_either_kind_with_a_password() {
    let sandbox = start().await;
    for kind in [ProxyKind::Http, ProxyKind::Socks5] {
        let proxy = Proxy::start(ProxyOptions { kind, auth: login(), fault: None }).await.unwrap();
        let answer = generate(&through(&proxy), &sandbox).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.json::<Value>().await.unwrap()["candidates"].is_array());
        assert!(sandbox.gemini().calls().pop().unwrap().via_proxy, "{kind:?}");
        assert_eq!((proxy.connections(), proxy.tunnels()), (1, 1));
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let sandbox = start().await;
    for (kind, name) in [(ProxyKind::Http, "http"), (ProxyKind::Socks5, "socks5h")] {
        let proxy = Proxy::start(ProxyOptions { kind, auth: login(), fault: None }).await.unwrap();
        let url = Url::parse(&format!("{name}://user:wrong@{}", proxy.addr)).unwrap();
        let client = Client::builder().proxy(reqwest::Proxy::all(url).unwrap()).build().unwrap();
        match generate(&client, &sandbox).await {
            Ok(answer) => assert_eq!(answer.status(), 407),
            Err(error) => assert!(error.is_connect(), "{error:?}"),
        }
        assert_eq!(proxy.tunnels(), 0);
    }
    assert!(sandbox.gemini().calls().is_empty());
}

#[tokio::test]
async fn connect_opens_a_tunnel() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let sandbox = start().await;
    let proxy = Proxy::start(ProxyOptions::default()).await.unwrap();
    let mut wire = tokio::net::TcpStream::connect(proxy.addr()).await.unwrap();
    wire.write_all(format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", sandbox.http_addr()).as_bytes()).await.unwrap();
    let mut reply = [0; 39];
    wire.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"HTTP/1.1 200 Connection established\r\n\r\n");
    let get = format!("GET /v1beta/models?key={KEY} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    wire.write_all(get.as_bytes()).await.unwrap();
    let mut answer = String::new();
    wire.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn the_proxy_fails_as_told() {
    let sandbox = start().await;
    let proxy = Proxy::start(ProxyOptions::default()).await.unwrap();
    let client = through(&proxy);
    for (fault, code) in [(ProxyFault::Refuse407, 407), (ProxyFault::Refuse401, 401), (ProxyFault::Html502, 502)] {
        proxy.fail(Some(fault));
        let answer = generate(&client, &sandbox).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (code, &"text/html".parse().unwrap())
        );
    }
    proxy.fail(Some(ProxyFault::Drop));
    assert!(generate(&client, &sandbox).await.is_err());
    proxy.fail(Some(ProxyFault::Hang));
    assert!(tokio::time::timeout(Duration::from_millis(200), generate(&client, &sandbox)).await.is_err());
    proxy.fail(None);
    assert_eq!(generate(&client, &sandbox).await.unwrap().status(), 200);

    for fault in [ProxyFault::Refuse407, ProxyFault::Html502, ProxyFault::Drop] {
        let options = ProxyOptions { kind: ProxyKind::Socks5, auth: login(), fault: Some(fault) };
        let socks = Proxy::start(options).await.unwrap();
        assert!(generate(&through(&socks), &sandbox).await.unwrap_err().is_connect(), "{fault:?}");
    }
    assert_eq!(sandbox.gemini().calls().len(), 1);
}
