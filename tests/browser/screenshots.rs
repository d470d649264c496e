//! How the main pages look, on a desk and on a phone, by day and by night. A page is held against a picture of itself from
//! when somebody last looked at it and found it right: both small and grey, so that another font, another Chromium and a
//! rounded pixel do not count, and a column that fell down, a lost style or white on white does.
//!
//! `UPDATE_SCREENSHOTS=1` takes new references. What differs lies in `target/screenshots`, large.

use std::{
    fs,
    path::{Path, PathBuf},
};

use image::{GrayImage, imageops};

use crate::{
    requests::admin::admin,
    support::{Browser, Screen, Scripts, TestApp, Window},
};

/// Grey levels between a page and its reference, on average over the page.
const MEAN_MAX: f64 = 7.0;
/// Blocks of the page that look like something else, in a hundred.
const CHANGED_MAX: f64 = 7.0;
/// Grey levels from which on a block looks like something else.
const CHANGED: u8 = 48;
/// Screen pixels to one of the reference, in each direction.
const SCALE: u32 = 10;
/// All references together.
const ALL_MAX_BYTES: u64 = 300_000;

/// Nothing moves, blinks, or tells when it is.
const FREEZE: &str = "(() => { const it = new CSSStyleSheet(); it.replaceSync(`*, ::before, ::after { animation: none !important; \
    transition: none !important; caret-color: transparent !important } time, [data-since], [data-until], video, .method img { visibility: hidden \
    !important } ::-webkit-scrollbar { display: none }`); document.adoptedStyleSheets = [...document.adoptedStyleSheets, it]; \
    document.activeElement?.blur(); scrollTo({ top: 0, behavior: 'instant' }) })()";

/// Every picture that can be seen is there.
const LOADED: &str = "document.fonts.status === 'loaded' && [...document.images].every((it) => it.complete \
    || it.getBoundingClientRect().top > innerHeight)";

fn references() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/references")
}

/// How far two pages are apart: grey levels on average, and blocks in a hundred that look like something else.
fn apart(a: &GrayImage, b: &GrayImage) -> (f64, f64) {
    if a.dimensions() != b.dimensions() {
        return (255.0, 100.0);
    }
    let all = f64::from(a.width() * a.height());
    let pairs = a.pixels().zip(b.pixels()).map(|(a, b)| a.0[0].abs_diff(b.0[0]));
    let (sum, changed) =
        pairs.fold((0.0, 0.0), |(sum, n), it| (sum + f64::from(it), n + f64::from(u8::from(it > CHANGED))));
    (sum / all, changed * 100.0 / all)
}

fn is_alike(a: &GrayImage, b: &GrayImage) -> bool {
    let (mean, changed) = apart(a, b);
    mean <= MEAN_MAX && changed <= CHANGED_MAX
}

/// What is on the screen now, in one theme.
async fn look(window: &Window, screen: Screen, theme: &str) -> (Vec<u8>, GrayImage) {
    window.switch(screen).await;
    window.prefer(&[("prefers-color-scheme", theme), ("prefers-reduced-motion", "reduce")]).await;
    window.read(FREEZE).await;
    window.until("the pictures", LOADED).await;
    let whole = window.screenshot().await;
    let picture = image::load_from_memory(&whole).unwrap().to_luma8();
    let small =
        imageops::resize(&picture, picture.width() / SCALE, picture.height() / SCALE, imageops::FilterType::Triangle);
    (whole, small)
}

/// What was seen, by the name of the page, its width and theme; and what of it is not as it was.
#[derive(Default)]
struct Album {
    seen: Vec<(String, GrayImage)>,
    faults: Vec<String>,
}

impl Album {
    /// Each page on a desk and on a phone, by day and by night.
    async fn add(&mut self, window: &Window, pages: &[(&str, &str)]) {
        for (name, path) in pages {
            window.open(path).await;
            for (screen, place) in [(Screen::Desk, "1280"), (Screen::Phone, "390")] {
                for theme in ["light", "dark"] {
                    let (whole, small) = look(window, screen, theme).await;
                    let name = format!("{name}-{place}-{theme}");
                    self.faults.extend(compared(&name, &whole, &small));
                    self.seen.push((name, small));
                }
            }
            window.switch(Screen::Desk).await;
        }
    }

    fn of(&self, name: &str) -> &GrayImage {
        &self.seen.iter().find(|(it, _)| it == name).unwrap().1
    }
}

/// F26: the main pages look as they did.
#[tokio::test]
async fn the_main_pages_look_as_they_did() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let mut pages = Vec::new();
    for prompt in ["misty mountains at dawn", "a city by night"] {
        let page = ada.make(prompt, &[("aspect_ratio", "16:9")]).await;
        pages.push((page.attribute("a.cell-frame", "href"), page.attribute("#composer", "action")));
    }
    let (picture, conversation) = pages.pop().unwrap();
    let conversation = conversation.trim_end_matches("/generations").to_owned();
    let (picture, conversation) = (picture.as_str(), conversation.as_str());

    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    let mut album = Album::default();
    album.add(&window, &[("landing", "/"), ("login", "/login")]).await;
    window.sign_in("ada").await;
    let theirs = [
        ("studio", "/app/conversations"),
        ("conversation", conversation),
        ("picture", picture),
        ("gallery", "/app/gallery"),
        ("queue", "/app/queue"),
        ("billing", "/app/billing"),
        ("checkout", &app.bill(&ada, "btcpay").await),
        ("account", "/app/account"),
    ];
    album.add(&window, &theirs).await;
    // The comparison is worth something: another page, the other theme and a page without its styles are not alike.
    for (a, b) in [("login-1280-light", "login-1280-dark"), ("gallery-390-light", "billing-390-light")] {
        assert!(!is_alike(album.of(a), album.of(b)), "{a} is like {b}");
    }
    window.read("document.querySelector('link[rel=stylesheet]').remove()").await;
    let (_, bare) = look(&window, Screen::Phone, "light").await;
    assert!(!is_alike(album.of("account-390-light"), &bare), "without its styles it looks as before");
    // Who chose dark has it by day too.
    window.open("/app/account").await;
    window.click("[name=theme][value=dark]").await;
    window.until("the dark", "document.documentElement.dataset.theme === 'nproxy-dark'").await;
    window.open("/app/account").await;
    let (_, chosen) = look(&window, Screen::Desk, "light").await;
    assert!(is_alike(album.of("account-1280-dark"), &chosen), "dark by choice is not the dark of the night");
    window.close().await;

    let cy = admin(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.open("/login").await;
    window.read(&format!("document.cookie = '{}; path=/; secure'", cy.cookie().unwrap())).await;
    album.add(&window, &[("admin", "/admin"), ("admin-keys", "/admin/keys"), ("admin-users", "/admin/users")]).await;

    let faults = album.faults;
    assert!(faults.is_empty(), "{}\nTo take them for right: UPDATE_SCREENSHOTS=1", faults.join("\n"));
    let bytes: u64 = fs::read_dir(references()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= ALL_MAX_BYTES, "{bytes} bytes of references");
    browser.close().await;
    app.finish().await;
}

/// What is wrong with one page, unless it becomes the reference.
fn compared(name: &str, whole: &[u8], small: &GrayImage) -> Option<String> {
    let file = references().join(format!("{name}.png"));
    if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        fs::create_dir_all(references()).unwrap();
        small.save(&file).unwrap();
        return None;
    }
    let Ok(reference) = image::open(&file) else { return Some(format!("{name}: there is no reference")) };
    let reference = reference.to_luma8();
    if is_alike(&reference, small) {
        return None;
    }
    let (mean, changed) = apart(&reference, small);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.png")), whole).unwrap();
    small.save(folder.join(format!("{name}-small.png"))).unwrap();
    Some(format!("{name}: {mean:.1} grey levels apart, {changed:.1} % of it looks like something else"))
}
