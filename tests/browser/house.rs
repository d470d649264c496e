//! The pages of the house on every screen.

use nproxy::models::{admin::ALL, users::Role};

use super::{
    access::{axe, faults},
    layout::{TOO_SMALL, wider_than},
};
use crate::{
    requests::admin::{doors, staff},
    support::{Browser, Screen, Scripts, TestApp, Window},
};

/// One page of each kind: lists, rows, forms, what asks before it does something, and what was done.
async fn pages(app: &TestApp) -> Vec<String> {
    let mut pages: Vec<String> =
        ["/admin", "/admin/health", "/admin/settings", "/admin/second-factor"].map(Into::into).into();
    for (path, id) in doors::rows(app).await {
        pages.extend([format!("/admin/{path}"), format!("/admin/{path}/{id}")]);
    }
    assert_eq!(pages.len(), 4 + 2 * ALL.len());
    let key = app.key("sandbox-k1").await.id;
    let (ada, run) = (app.user("ada").await.id, app.newest_run().await);
    let invoice = app.count("SELECT MAX(id) FROM invoices").await;
    pages.extend([
        "/admin/keys/new".into(),
        "/admin/keys/import".into(),
        format!("/admin/keys/{key}/secret"),
        format!("/admin/keys/batch?noun=deactivation&id={key}&id={}&wish=size%3D20", key + 1),
        format!("/admin/users/{ada}/grant"),
        format!("/admin/users/{ada}/view"),
        format!("/admin/payments/{invoice}/marking"),
        format!("/admin/generations/{run}/revelation"),
        "/admin/users?q=nobody".into(),
        format!("/admin/activities?row=user:{ada}"),
    ]);
    pages
}

/// F47 to F55: no page of the house sticks out on any screen, everything on it can be hit with a finger, and axe finds
/// nothing, at a desk in the light and on a phone in the dark. Nothing breaks a rule of the page.
#[tokio::test]
async fn every_page_of_the_house_fits_and_axe_finds_nothing() {
    let app = doors::furnished().await;
    app.sign_in("ada").await;
    let cy = staff(&app, "cy", Role::Owner).await;
    let (pages, axe, browser) = (pages(&app).await, axe(), Browser::open(&app).await);
    let mut found = Vec::new();
    for (screen, scheme) in [(Screen::Desk, "light"), (Screen::Phone, "dark")] {
        let window = browser.stranger(screen, Scripts::On).await;
        window.prefer(&[("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]).await;
        window.open("/login").await;
        window.read(&format!("document.cookie = '{}; path=/; secure'", cy.cookie().unwrap())).await;
        for (at, path) in pages.iter().enumerate() {
            if screen == Screen::Phone {
                window.switch(Screen::SmallPhone).await;
                window.open(path).await;
                let wide = wider_than(Screen::SmallPhone);
                found.extend(strings(&window, &wide).await.map(|it| format!("{path} at 320 px: {it}")));
            }
            window.switch(screen).await;
            window.open(path).await;
            let mut here: Vec<String> = strings(&window, &wider_than(screen)).await.collect();
            if screen == Screen::Phone {
                here.extend(strings(&window, TOO_SMALL).await);
            }
            here.extend(faults(&window, &axe).await);
            found.extend(here.iter().map(|fault| format!("{path} on {screen:?}, {scheme}: {fault}")));
            window.photograph(&format!("{at:02}-{screen:?}-{scheme}")).await;
        }
        window.assert_quiet();
        window.close().await;
    }
    assert!(found.is_empty(), "{} faults: {found:#?}", found.len());
    browser.close().await;
    app.finish().await;
}

async fn strings(window: &Window, script: &str) -> impl Iterator<Item = String> {
    serde_json::from_value::<Vec<String>>(window.read(script).await).unwrap().into_iter()
}
