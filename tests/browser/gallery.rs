//! The gallery and the installed application in a browser.

use std::time::Duration;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{Browser, Screen, Scripts, TestApp};

/// F112, F113: on a phone a picture is starred in place, shown large, left with a finger drawn across it, and marked ones
/// come as one file; suggestions fill the composer, models can be chosen, and what is made shows how far it is.
#[tokio::test]
async fn the_studio_on_a_phone() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    for prompt in ["a boat", "a kite"] {
        bo.make(prompt, &[]).await;
    }
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Phone, Scripts::On).await;
    window.sign_in("bo").await;
    window.open("/app/gallery").await;
    window.until("two pictures", "document.querySelectorAll('.gallery-item img').length === 2").await;
    window.click(".gallery-item:first-child .star").await;
    window.until("the star", "document.querySelector('.gallery-item:first-child .star[aria-pressed=true]')").await;
    assert_eq!(window.read("location.pathname").await, "/app/gallery", "in its place");

    window.click(".gallery-item:first-child > a").await;
    window.until("the picture", "document.querySelector('#prompt')?.textContent === 'a kite'").await;
    let swipe = "(() => { const it = document.querySelector('[data-swipe] img'); \
        const finger = (x) => new Touch({ identifier: 1, target: it, clientX: x, clientY: 300 }); \
        it.dispatchEvent(new TouchEvent('touchstart', { bubbles: true, touches: [finger(300)], changedTouches: [finger(300)] })); \
        it.dispatchEvent(new TouchEvent('touchend', { bubbles: true, touches: [], changedTouches: [finger(80)] })) })()";
    window.read(swipe).await;
    window.until("the one beside it", "document.querySelector('#prompt')?.textContent === 'a boat'").await;

    window.open("/app/gallery").await;
    window.click(".gallery-item:first-child .gallery-mark").await;
    window.click(".gallery-item:nth-child(2) .gallery-mark").await;
    window.click("#chosen button").await;
    window.until("the archive", "document.querySelector('#exports a[download]')").await;
    window.click("#exports a[download]").await;
    assert!(browser.downloaded().await.starts_with(b"PK"));

    window.open("/app/conversations").await;
    window.click("a[href*='prompt=']").await;
    window.until("the suggestion", "document.querySelector('#prompt').value.length > 20").await;
    window.click("#composer summary").await;
    window.sees("#model").await;
    assert_eq!(window.texts("#model option").await, ["Nano Banana"]);
    app.sandbox.gemini().latency(Duration::from_secs(4));
    window.click("#composer button[type=submit]").await;
    window.sees(".cell-frame.is-waiting [data-since]").await;
    window.sees_pictures(1).await;
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}

/// F113: once the service worker is there, a page that cannot be reached says that one is offline, in the usual look.
#[tokio::test]
async fn without_a_network_there_is_a_page() {
    let app = TestApp::start().await;
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Phone, Scripts::On).await;
    window.lets_workers_start().await;
    let (site, mut wire) = wire(app.url.trim_start_matches("http://").to_owned()).await;
    window.open(&format!("{site}/login")).await;
    window.run("navigator.serviceWorker.ready.then(() => true)").await;
    window.until("it answers for the page", "navigator.serviceWorker.controller").await;

    wire.shutdown().await;
    window.read("void location.assign('/app/conversations')").await;
    window.until("the page without a network", "document.querySelector('h1')?.textContent === 'You are offline'").await;
    assert_eq!(window.read("getComputedStyle(document.querySelector('main .btn')).display").await, "flex");
    browser.close().await;
    app.finish().await;
}

/// A way to the server that can be cut, with all that is on it.
async fn wire(to: String) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let mut wire = JoinSet::new();
    wire.spawn(async move {
        let mut lines = JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(&to).await.unwrap();
            lines.spawn(async move { copy_bidirectional(&mut near, &mut far).await.ok() });
        }
    });
    (site, wire)
}
