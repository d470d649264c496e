//! The gallery and the installed application in a browser.

use std::time::Duration;

use nproxy::models::assets::gallery;
use serde_json::Value;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{Browser, Screen, Scripts, TestApp, Window, bulk, eventually};

/// F112, F113: on a phone a picture is starred in place, shown large, left with a finger drawn across it, and marked ones
/// come as one file; suggestions fill the composer, models can be chosen, and what is made shows how far it is.
#[tokio::test]
async fn the_studio_on_a_phone() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    bo.make("a boat", &[]).await;
    let with_input = bo.make("a kite", &[]).await.attribute(".cell-actions a", "href");
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
    let is_offered = "document.querySelector('#chosen').checkVisibility()";
    assert_eq!(window.read(is_offered).await, false, "nothing is marked yet");
    window.click(".gallery-item:first-child .gallery-mark").await;
    window.click(".gallery-item:nth-child(2) .gallery-mark").await;
    window.click("#chosen button").await;
    window.until("the archive", "document.querySelector('#exports a[download]')").await;
    window.click("#exports a[download]").await;
    assert!(browser.downloaded().await.starts_with(b"PK"));

    // A picture to start from and all settings leave the button on a small screen.
    window.switch(Screen::SmallPhone).await;
    window.open(&with_input).await;
    window.click("#composer summary").await;
    window.sees("#composer .options").await;
    let button = "document.querySelector('#composer [type=submit]').getBoundingClientRect().bottom";
    assert_eq!(window.read(&format!("{button} <= {}", Screen::SmallPhone.size().1)).await, true);
    window.switch(Screen::Phone).await;

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

/// Pages that one address shows at once.
const PAGES_MAX: u64 = 10;

/// What keeps the page from answering, from now on, in milliseconds.
const WATCH: &str = "void (window.slow = [], new PerformanceObserver((all) => window.slow.push(...all.getEntries() \
    .map((it) => it.duration))).observe({ type: 'longtask' }))";

/// From here to the end of the page, a screen at a time, and as fast as frames come.
const SCROLL: &str = "(async () => { for (let y = scrollY; y < document.body.scrollHeight; y += innerHeight) { \
    scrollTo({ top: y, behavior: 'instant' }); await new Promise(requestAnimationFrame) } })()";

/// The pictures of a page: all wait until they come near, have their place before, and are drawn from no more than they need.
const MISSHAPEN: &str = "[...document.querySelectorAll('.gallery-item')].filter((it, at) => { const img = it.querySelector('img'); \
    const { loading, width, height, complete, naturalWidth } = img; \
    return loading !== (at < 6 ? 'eager' : 'lazy') || !img.getAttribute('width') || !img.getAttribute('height') \
        || getComputedStyle(it).contentVisibility !== 'auto' \
        || (complete && naturalWidth && (naturalWidth < width || naturalWidth > 640)) }).length";

async fn shown(window: &Window) -> u64 {
    window.read("document.querySelectorAll('.gallery-item').length").await.as_u64().unwrap()
}

/// Whoever comes to the end finds more there, and the address shows what is seen.
async fn scrolls_to(window: &Window, pictures: u64) {
    eventually("more pictures", || async {
        window.run(SCROLL).await;
        (shown(window).await >= pictures).then_some(())
    })
    .await;
    let pages = "new URLSearchParams(location.search).get('pages')";
    let seen = "document.querySelectorAll('.gallery-item').length";
    window.until("the address of it", &format!("{pages} * {} === {seen}", gallery::PAGE)).await;
}

/// Of 5,000 pictures a page holds a few hundred, which come as somebody scrolls; those that nobody comes near are not fetched,
/// and scrolling and loading more keep the page awake. How long each task takes depends on the machine: `LONG_TASK_MS=100` makes that a failure of the test.
#[tokio::test]
async fn five_thousand_pictures_scroll() {
    const PICTURES: usize = 5_000;
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    ada.make("a boat", &[]).await;
    let like = app.count("SELECT MAX(id) FROM assets WHERE origin = 'output'").await;
    bulk::pictures(&app.ctx.db, app.user("ada").await.id, like, PICTURES).await;
    let page = gallery::PAGE;

    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("ada").await;
    window.open("/app/gallery").await;
    window.read(WATCH).await;
    assert_eq!(shown(&window).await, page);
    scrolls_to(&window, page * PAGES_MAX).await;
    window.run(SCROLL).await;
    assert_eq!(shown(&window).await, page * PAGES_MAX);
    assert_eq!(window.read(MISSHAPEN).await, 0);
    assert_eq!(window.read("location.search").await, format!("?pages={PAGES_MAX}"));
    let mut slow = tasks(&window).await;

    // The page is full: what follows has an address of its own, down to the oldest.
    window.click("#gallery > li:last-child a:not([hx-get])").await;
    window.until("the next", "location.search.startsWith('?before=')").await;
    assert_eq!(shown(&window).await, page);
    window.read(WATCH).await;
    scrolls_to(&window, page * 2).await;
    slow.extend(tasks(&window).await);

    // Coming back finds all of it at once, and fetches what is near.
    let back = browser.window(Screen::Phone, Scripts::On).await;
    back.open(&format!("/app/gallery?pages={PAGES_MAX}")).await;
    back.read(WATCH).await;
    assert_eq!(shown(&back).await, page * PAGES_MAX);
    back.until("a picture", "document.querySelector('.gallery-item img').complete").await;
    let near = back.requests("/app/files/").len() as u64;
    assert!(
        near * 2 < page * PAGES_MAX,
        "{near} of {} pictures were fetched before anybody came near",
        page * PAGES_MAX
    );
    back.run(SCROLL).await;
    assert_eq!(back.read(MISSHAPEN).await, 0);
    slow.extend(tasks(&back).await);
    window.assert_quiet();
    back.assert_quiet();

    slow.sort_by(f64::total_cmp);
    eprintln!("long tasks, ms: {slow:?}");
    let limit: Option<f64> = std::env::var("LONG_TASK_MS").ok().and_then(|ms| ms.parse().ok());
    if let Some(limit) = limit {
        assert!(slow.iter().all(|ms| *ms <= limit), "{slow:?}");
    }
    browser.close().await;
    app.finish().await;
}

async fn tasks(window: &Window) -> Vec<f64> {
    let tasks = window.read("window.slow").await;
    tasks.as_array().unwrap().iter().filter_map(Value::as_f64).collect()
}
