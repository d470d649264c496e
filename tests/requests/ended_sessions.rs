//! A session that is worth nothing is worth nothing anywhere.

use loco_rs::app::Hooks;
use nproxy::{app::App, models::users::seeds};
use reqwest::Method;

use super::accounts::{PASSWORD, forgot, link};
use crate::support::{Person, TestApp};

/// A copy of the cookie, in another browser.
fn copy(app: &TestApp, person: &Person) -> Person {
    let copy = app.visitor();
    copy.set_cookie(person.cookie());
    copy
}

/// Every closed address, with an id that nobody has.
fn closed(app: &TestApp) -> Vec<(Method, String)> {
    let never_was = uuid::Uuid::new_v4().to_string();
    let mut all = Vec::new();
    for route in App::routes(&app.ctx).collect() {
        for method in [Method::GET, Method::POST] {
            if route.uri.starts_with("/app") && route.actions.contains(&method) {
                all.push((method, route.uri.replace("{pid}", &never_was)));
            }
        }
    }
    assert!(all.len() > 15 && all.iter().all(|(_, path)| !path.contains('{')), "{all:?}");
    all
}

async fn is_refused_everywhere(app: &TestApp, person: &Person, why: &str) {
    let cookie = person.cookie();
    for (method, path) in closed(app) {
        let request = person.request(method.clone(), &path).header("sec-fetch-site", "same-origin");
        let request = if method == Method::POST { request.form(&[("password", seeds::PASSWORD)]) } else { request };
        let answer = person.send(request).await;
        assert_eq!(answer.status, 303, "{why}: {method} {path}");
        assert!(answer.location().starts_with("/login"), "{why}: {method} {path}");
        assert!(!answer.body.contains("@example.com"), "{why}: {method} {path}");
        person.set_cookie(cookie.clone());
    }
}

/// F10, F12: the token of a session that was logged out, replaced by a new log-in, ended from elsewhere, ended by a new
/// password, blocked or deleted, and one that was planted before the log-in, is refused on every address of the studio.
#[tokio::test]
async fn an_ended_session_is_refused_everywhere() {
    let app = TestApp::start().await;
    let log_in = async |person: &Person, name: &str| {
        let email = format!("{name}@example.com");
        person.post("/login", &[("email", &email), ("password", seeds::PASSWORD)]).await.status
    };

    // Planted: an attacker's cookie in the victim's browser is not what the victim gets.
    let planted = app.visitor();
    planted.set_cookie(Some("__Host-nproxy=planted-before-the-log-in-000000000000000000".into()));
    let before = copy(&app, &planted);
    assert_eq!(log_in(&planted, "ada").await, 303);
    assert_ne!(planted.cookie(), before.cookie());
    is_refused_everywhere(&app, &before, "planted").await;

    let replaced = copy(&app, &planted);
    assert_eq!(log_in(&planted, "ada").await, 303);
    is_refused_everywhere(&app, &replaced, "replaced").await;

    let logged_out = copy(&app, &planted);
    planted.post("/logout", &[]).await;
    is_refused_everywhere(&app, &logged_out, "logged out").await;

    let (here, ended) = (app.sign_in("ada").await, app.sign_in("ada").await);
    here.post("/app/account/sessions/revocation", &[]).await;
    is_refused_everywhere(&app, &ended, "ended from elsewhere").await;

    forgot(&app.visitor(), "ada@example.com").await;
    let reset = link(&app.mail("ada@example.com", 1).await);
    let fresh = app.visitor();
    let form = fresh.get(&reset).await.html().form("main form");
    fresh.submit(&form.fill("password", PASSWORD)).await;
    is_refused_everywhere(&app, &here, "reset").await;
    assert_eq!(fresh.get("/app").await.status, 200);

    let bo = app.sign_in("bo").await;
    app.task("user_block", &[("email", "bo@example.com")]).await.unwrap();
    is_refused_everywhere(&app, &bo, "blocked").await;

    let eve = app.sign_in("eve").await;
    let left = copy(&app, &eve);
    assert_eq!(eve.post("/app/account/deletion", &[("password", seeds::PASSWORD)]).await.status, 200);
    is_refused_everywhere(&app, &left, "deleted").await;
    app.finish().await;
}
