//! Everybody can use it: what axe finds on every page, the keyboard alone, a system that wants no motion.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::support::{Browser, Screen, Scripts, TestApp, Window};

/// What WCAG 2.2 AA asks for, as far as a program can tell.
const RULES: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/// axe-core from package.json; brought here when it is not.
pub(super) fn axe() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("node_modules/axe-core/axe.min.js");
    if !file.exists() {
        let npm = std::process::Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(root).status();
        assert!(npm.is_ok_and(|status| status.success()), "npm ci brings axe-core; Node and npm have to be there");
    }
    std::fs::read_to_string(file).unwrap()
}

/// Each fault as `rule: element`.
pub(super) async fn faults(window: &Window, axe: &str) -> Vec<String> {
    window.run(&format!("{axe};0")).await;
    let found = window
        .run(&format!(
            "axe.run(document, {{ runOnly: {{ type: 'tag', values: {} }}, resultTypes: ['violations'] }}).then((found) => \
             found.violations.flatMap(({{ id, nodes }}) => nodes.map((node) => `${{id}}: ${{node.html.slice(0, 140)}} \
             ${{node.any[0]?.message ?? ''}}`)))",
            json!(RULES)
        ))
        .await;
    serde_json::from_value(found).unwrap()
}

/// The pages of somebody who has made pictures, asked for some that were declined, and is about to pay.
async fn pages(app: &TestApp) -> (Vec<String>, Vec<String>) {
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a lighthouse on a cliff at dusk", &[("batch_size", "2")]).await;
    let page = ada.settled(&conversation).await;
    let picture = page.attribute("a.cell-frame", "href");
    ada.post(&format!("{picture}/favorite"), &[("on", "1")]).await;
    ada.post(&format!("{picture}/shares"), &[("days", "7"), ("prompt", "1")]).await;
    let shared = ada.get(&picture).await.html().attribute("#links input[readonly]", "value");
    let with_input = page.attribute(".cell-actions a", "href");
    app.sandbox.gemini().fault(sandbox::gemini::EVERY_KEY, sandbox::Fault::RefusedPrompt);
    let failed = ada.ask("something that is declined", &[]).await;
    ada.settled(&failed).await;
    app.sandbox.gemini().heal_all();
    let invoice = app.bill(&ada, "btcpay").await;
    let mark = ada.get("/app/gallery").await.html().attribute("[name=picture]", "value");
    ada.post("/app/exports", &[("picture", &mark)]).await;
    app.idle().await;
    let outside =
        ["/", "/terms", "/privacy", "/register", "/login", "/password/forgot", "/activation?token=x", "/nowhere"]
            .into_iter()
            .map(str::to_owned)
            .chain(["/offline".into(), "/dev/components".into(), shared.replace(&app.url, "")]);
    let inside = [
        "/app",
        "/app/conversations",
        "/app/gallery",
        "/app/queue",
        "/app/exports",
        "/app/history",
        "/app/history?q=x",
    ]
    .into_iter()
    .chain(["/app/billing", "/app/billing/history", "/app/billing/details"])
    .chain(["/app/account", "/app/account/password", "/app/account/email", "/app/account/deletion"])
    .map(str::to_owned)
    .chain([conversation, failed, picture, with_input, invoice]);
    (outside.collect(), inside.collect())
}

/// F113 and every page: axe finds nothing, on a desk and on a phone, in the light and in the dark; also in what is only
/// there when it is opened. Nothing breaks a rule of the page, and the console stays empty.
#[tokio::test]
async fn axe_finds_nothing() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let (outside, inside) = pages(&app).await;
    let axe = axe();
    let browser = Browser::open(&app).await;
    let mut found = Vec::new();
    for screen in [Screen::Desk, Screen::Phone] {
        for scheme in ["light", "dark"] {
            let window = browser.stranger(screen, Scripts::On).await;
            window.prefer(&[("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]).await;
            let mut look = async |path: &str| {
                for fault in faults(&window, &axe).await {
                    found.push(format!("{path} on {screen:?}, {scheme}: {fault}"));
                }
            };
            for path in &outside {
                window.open(path).await;
                look(path).await;
            }
            window.sign_in("ada").await;
            for path in &inside {
                window.open(path).await;
                look(path).await;
            }
            window.open("/app/conversations").await;
            window.read("document.querySelector('#shortcuts').showModal()").await;
            look("the shortcuts").await;
            window.open("/app/gallery").await;
            window.read("document.querySelector('main details').open = true").await;
            look("the filters").await;
            if screen == Screen::Phone {
                window.open("/app/conversations").await;
                window.click("header [popovertarget=sidebar]").await;
                window.sees("#sidebar").await;
                look("the menu").await;
            }
            window.close().await;
        }
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{} faults: {found:#?}", found.len());
    browser.close().await;
    app.finish().await;
}

/// With the keyboard alone: sign in, make a picture, look at it large, go to the one beside it, mark it, and save it.
#[tokio::test]
async fn the_keyboard_is_enough() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sign_in("bo").await.make("a boat", &[]).await;
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.open("/login").await;
    window.tab_to("#email").await;
    window.type_in("bo@example.com").await;
    window.tab_to("#password").await;
    window.type_in(nproxy::models::users::seeds::PASSWORD).await;
    window.key("Enter", false).await;
    window
        .until("the composer", "location.pathname === '/app/conversations' && document.activeElement.id === 'prompt'")
        .await;

    window.type_in("a kite over dunes").await;
    window.key("Enter", true).await;
    window.sees_pictures(1).await;
    window.tab_to("a.cell-frame").await;
    window.key("Enter", false).await;
    window.until("the picture", "location.pathname.startsWith('/app/pictures/')").await;
    assert_eq!(window.texts("#prompt").await, ["a kite over dunes"]);

    window.key("ArrowRight", false).await;
    window.until("the older picture", "document.querySelector('#prompt')?.textContent === 'a boat'").await;
    window.key("ArrowLeft", false).await;
    window.until("the newer picture", "document.querySelector('#prompt')?.textContent === 'a kite over dunes'").await;
    window.key(".", false).await;
    window.until("the star", "document.querySelector('.star[aria-pressed=true]')").await;
    window.key("?", false).await;
    window.until("the shortcuts", "document.querySelector('#shortcuts').open").await;
    window.key("Escape", false).await;
    window.until("the page again", "!document.querySelector('#shortcuts').open").await;
    window.key("d", false).await;
    let calls = app.sandbox.gemini().calls();
    assert_eq!(Some(browser.downloaded().await), calls.last().unwrap().picture);
    window.key("Escape", false).await;
    window.until("the conversation", "location.pathname.startsWith('/app/conversations/')").await;
    window.key("g", false).await;
    // The composer has no focus after a step back; if it has, the letter is typed.
    window.until("the gallery", "location.pathname === '/app/gallery'").await;
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}

/// Who works with the keyboard stays where the work is: what was pressed keeps the focus, or what took its place has it.
#[tokio::test]
async fn the_focus_outlives_every_press() {
    let app = TestApp::start().await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    let bo = app.sign_in("bo").await;
    let conversation = bo.ask("a boat", &[]).await;
    bo.settled(&conversation).await;
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("bo").await;
    window.open(&conversation).await;
    let press = async |selector: &str| {
        window.sees(selector).await;
        window.read(&format!("document.querySelector({}).focus()", json!(selector))).await;
        window.key("Enter", false).await;
    };
    let is_at = async |what: &str, selector: &str| {
        window.until(what, &format!("document.activeElement.matches({})", json!(selector))).await;
    };

    press("[aria-label='Delete, picture 1']").await;
    is_at("Undo", "[aria-label^='Undo']").await;
    window.key("Enter", false).await;
    is_at("Delete", "[aria-label='Delete, picture 1']").await;

    press("[title='Run again']").await;
    window.until("another turn", "document.querySelectorAll('#feed > article').length === 2").await;
    is_at("Run again", "[title='Run again']").await;
    window.sees_pictures(2).await;

    gemini.fault(sandbox::gemini::EVERY_KEY, sandbox::Fault::Hang);
    window.ask("a slow river").await;
    press("form[action$='/cancellation'] button").await;
    is_at("what came of it", "#feed .alert").await;
    gemini.heal_all();
    press("#feed form[action$='/runs'] button").await;
    window.until("the picture", "document.activeElement.textContent === 'Your picture is ready'").await;

    window.open("/app/gallery").await;
    press(".star").await;
    is_at("the star", ".star[aria-pressed=true]").await;
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}

/// Who wants no motion gets none: no clip plays by itself, and nothing is animated for longer than an instant.
#[tokio::test]
async fn motion_is_left_out() {
    let app = TestApp::start().await;
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    const PLAYING: &str = "[...document.querySelectorAll('video')].filter((it) => !it.paused).length";
    window.open("/").await;
    window.until("a clip in sight", &format!("{PLAYING} > 0")).await;
    window.click("[data-clips]").await;
    window.until("all to stand still", &format!("{PLAYING} === 0")).await;
    assert_eq!(window.read("document.querySelector('[data-clips]').ariaPressed").await, "true");

    window.prefer(&[("prefers-reduced-motion", "reduce")]).await;
    window.open("/").await;
    window.until("the page", "document.querySelector('video').controls").await;
    assert_eq!(window.read(PLAYING).await, 0, "they can be played by hand");
    window.sign_in("ada").await;
    let moving = "[...document.querySelectorAll('*')].flatMap((it) => it.getAnimations()) \
        .filter((it) => it.effect.getTiming().duration > 1).length";
    assert_eq!(window.read(moving).await, Value::from(0));
    browser.close().await;
    app.finish().await;
}

/// A picture that became ready while somebody looked elsewhere stands in the title until they look.
#[tokio::test]
async fn the_title_says_what_became_ready() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().latency(Duration::from_secs(6));
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("ada").await;
    window.open("/app/conversations").await;
    window.ask("a boat").await;
    window.sees("form[action$='/cancellation']").await;
    window.read("Object.defineProperty(document, 'hidden', { get: () => window.away, configurable: true }), (window.away = true)").await;
    window.until("the title", "document.title.startsWith('(1) ready')").await;
    window.read("((window.away = false), document.dispatchEvent(new Event('visibilitychange')))").await;
    window.until("the plain title", "document.title.startsWith('a boat')").await;
    app.idle().await;
    browser.close().await;
    app.finish().await;
}
