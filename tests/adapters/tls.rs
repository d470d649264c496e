//! A vendor behind TLS: nothing of a request leaves before its certificate is believed.

use std::{path::Path, time::Instant};

use nproxy::adapters::images::Http;
use sandbox::{Options, Proxy, ProxyOptions, Sandbox};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use super::{
    authority::{Authority, Valid, front, self_signed, terminate},
    peer::{AMPLE, Peer, SECRET, SOON, class, expect, generate_by, picture},
};

const HERE: &str = "127.0.0.1";

async fn vendor() -> Sandbox {
    let sandbox = Sandbox::start(Options { latency: std::time::Duration::ZERO, ..Options::default() }).await.unwrap();
    sandbox.gemini().sketch(true);
    sandbox
}

#[tokio::test]
async fn a_good_certificate_is_believed() {
    let (vendor, authority) = (vendor().await, Authority::new("good"));
    let tls = front(authority.signs(HERE, Valid::Now), vendor.http_addr()).await;
    let proxy = Proxy::start(ProxyOptions::default()).await.unwrap();
    for through in ["", &proxy.url()] {
        expect(&generate_by(&authority.trusted(), &tls.https(), through, AMPLE).await, "delivered");
    }
    assert_eq!((vendor.gemini().calls().len(), proxy.tunnels()), (2, 1));
}

/// X19, X23: a certificate that is not the vendor's. Directly nothing was sent; inside a tunnel it is the proxy that stands
/// between.
#[tokio::test]
async fn certificates_that_nobody_should_believe() {
    let (vendor, authority) = (vendor().await, Authority::new("good"));
    let proxy = Proxy::start(ProxyOptions::default()).await.unwrap();
    for (what, config) in [
        ("for another name", authority.signs("vendor.example", Valid::Now)),
        ("expired", authority.signs(HERE, Valid::NoLonger)),
        ("of the future", authority.signs(HERE, Valid::NotYet)),
        ("of an unknown authority", Authority::new("unknown").signs(HERE, Valid::Now)),
        ("of an authority of the same name", Authority::new("good").signs(HERE, Valid::Now)),
        ("signed by itself", self_signed(HERE)),
    ] {
        let tls = front(config, vendor.http_addr()).await;
        for (through, wanted) in [("", "not_sent"), (&proxy.url(), "proxy_fault before")] {
            let outcome = generate_by(&authority.trusted(), &tls.https(), through, AMPLE).await;
            assert_eq!(class(&outcome), wanted, "{what}: {outcome:?}");
            let why = outcome.unwrap_err();
            assert!(why.detail().contains("invalid peer certificate"), "{what}: {why:?}");
        }
    }
    assert!(vendor.gemini().calls().is_empty());
}

#[tokio::test]
async fn the_handshake_is_cut_or_hangs() {
    let (vendor, authority) = (vendor().await, Authority::new("good"));
    let tls = front(authority.signs(HERE, Valid::Now), vendor.http_addr()).await;
    let proxy = Proxy::start(ProxyOptions::default()).await.unwrap();
    let far = tls.addr;
    for hangs in [false, true] {
        // The first hundred bytes of the answer end within the certificate.
        let scissors = Peer::new(move |mut line| async move {
            let mut far = TcpStream::connect(far).await.unwrap();
            let (mut answers, mut hears) = far.split();
            let (mut asks, _) = line.socket.split();
            let mut beginning = [0; 100];
            tokio::select! {
                _ = tokio::io::copy(&mut asks, &mut hears) => return,
                read = answers.read_exact(&mut beginning) => drop(read.unwrap()),
            }
            line.say(beginning).await;
            if hangs {
                line.wait().await;
            }
        })
        .await;
        let deadline = if hangs { SOON } else { AMPLE };
        for (through, wanted) in [("", "not_sent"), (&proxy.url(), "proxy_fault before")] {
            let start = Instant::now();
            expect(&generate_by(&authority.trusted(), &scissors.https(), through, deadline).await, wanted);
            assert!(start.elapsed() < SOON * 10, "{:?}", start.elapsed());
        }
    }
    assert!(vendor.gemini().calls().is_empty());
}

#[tokio::test]
async fn the_line_ends_after_the_request() {
    let authority = Authority::new("good");
    let whole = picture();
    let half = whole[..whole.len() / 2].to_vec();
    let proxy = Proxy::start(ProxyOptions::default()).await.unwrap();
    for (answer, wanted) in [(Vec::new(), "ambiguous"), (half, "ambiguous"), (whole, "delivered")] {
        let vendor = Peer::saying(answer).await;
        let tls = front(authority.signs(HERE, Valid::Now), vendor.addr).await;
        for through in ["", &proxy.url()] {
            expect(&generate_by(&authority.trusted(), &tls.https(), through, AMPLE).await, wanted);
        }
        assert_eq!(vendor.calls(), 2, "never repeated");
    }
    let vendor = Peer::silent().await;
    let tls = front(authority.signs(HERE, Valid::Now), vendor.addr).await;
    for through in ["", &proxy.url()] {
        expect(&generate_by(&authority.trusted(), &tls.https(), through, SOON).await, "ambiguous");
    }
}

/// X23: a proxy that opens the tunnel and looks inside. Its certificate is believed only by who was told to.
#[tokio::test]
async fn a_proxy_that_looks_inside() {
    let (vendor, authority, gateway) = (vendor().await, Authority::new("good"), Authority::new("gateway"));
    let (config, far) = (gateway.signs(HERE, Valid::Now), vendor.http_addr());
    let proxy = Peer::new(move |mut line| {
        let config = config.clone();
        async move {
            line.request().await;
            line.say("HTTP/1.1 200 Connection established\r\n\r\n").await;
            terminate(&mut line.socket, config, far).await;
        }
    })
    .await;
    let tls = front(authority.signs(HERE, Valid::Now), far).await;
    for http in [Http::new().unwrap(), authority.trusted()] {
        expect(&generate_by(&http, &tls.https(), &proxy.http(), AMPLE).await, "proxy_fault before");
    }
    assert!(vendor.gemini().calls().is_empty() && !proxy.heard().contains(SECRET));
    expect(&generate_by(&gateway.trusted(), &tls.https(), &proxy.http(), AMPLE).await, "delivered");
    assert_eq!(tls.calls(), 0);
}

#[tokio::test]
async fn without_the_setting_only_public_authorities_are_trusted() {
    let (vendor, authority) = (vendor().await, Authority::new("good"));
    let tls = front(authority.signs(HERE, Valid::Now), vendor.http_addr()).await;
    for http in [Http::new().unwrap(), Http::trusting(Path::new("")).unwrap()] {
        expect(&generate_by(&http, &tls.https(), "", AMPLE).await, "not_sent");
    }
    assert!(vendor.gemini().calls().is_empty());
}

#[test]
fn a_file_without_certificates_is_said_to_be_one() {
    let says = |path: &Path| Http::trusting(path).unwrap_err().to_string();
    assert!(says(Path::new("/nowhere/ca.pem")).contains("the certificates in /nowhere/ca.pem: No such file"));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(says(file.path()).ends_with("none found, PEM is expected"));
    std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(Http::trusting(file.path()).is_err());
}
