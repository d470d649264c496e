//! Logging in and out, and what ends a session.

use chrono::{TimeDelta, Utc};
use nproxy::models::users::seeds;

use crate::support::{Answer, Person, TestApp};

async fn log_in_at(person: &Person, page: &str) -> Answer {
    let form = person.get(page).await.html().form("form[action='/login']");
    person.submit(&form.fill("email", "ada@example.com").fill("password", seeds::PASSWORD)).await
}

/// The name of a cookie, its value, and what the browser is told about it.
fn cookie(answer: &Answer) -> (String, String, Vec<String>) {
    let header = answer.header("set-cookie");
    let mut parts = header.split("; ");
    let (name, value) = parts.next().unwrap().split_once('=').unwrap();
    let mut attributes: Vec<_> = parts.map(str::to_owned).collect();
    attributes.sort();
    (name.into(), value.into(), attributes)
}

async fn is_signed_in(person: &Person) -> bool {
    let answer = person.get("/app").await;
    match answer.status {
        200 => true,
        303 => {
            assert_eq!(answer.location(), "/login");
            assert!(!answer.body.contains("ada@example.com"));
            false
        }
        status => panic!("{status}: {}", answer.body),
    }
}

/// F10: the session lies in a cookie that only this site gets back, only over a safe connection, and that no script reads.
#[tokio::test]
async fn the_cookie_is_kept_to_this_site() {
    let app = TestApp::start().await;
    let ada = app.visitor();

    let answer = log_in_at(&ada, "/login").await;

    assert_eq!((answer.status, answer.location().as_str()), (303, "/app/conversations"));
    let (name, token, attributes) = cookie(&answer);
    assert_eq!(name, "__Host-nproxy");
    assert_eq!(token.len(), 43, "256 random bits");
    assert_eq!(attributes, ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Lax", "Secure"]);
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 1);
    assert_ne!(app.text("SELECT token_hash FROM sessions").await, token, "the database holds its hash");
    assert!(is_signed_in(&ada).await);
    app.finish().await;
}

/// F10: after logging out the cookie is gone from the browser, and a copy of it opens nothing.
#[tokio::test]
async fn logging_out_ends_the_session_on_the_server() {
    let app = TestApp::start().await;
    let (ada, other) = (app.sign_in("ada").await, app.sign_in("ada").await);
    let copy = ada.cookie();

    let form = ada.get("/app").await.html().form("form[action='/logout']");
    let answer = ada.submit(&form).await;

    assert_eq!((answer.status, answer.location().as_str()), (303, "/login"));
    let (name, value, attributes) = cookie(&answer);
    assert_eq!((name.as_str(), value.as_str()), ("__Host-nproxy", ""));
    for kept in ["Max-Age=0", "Path=/", "Secure"] {
        assert!(attributes.iter().any(|a| a == kept), "browsers refuse the removal without {kept}: {attributes:?}");
    }
    assert_eq!(ada.cookie(), None);
    ada.set_cookie(copy);
    assert!(!is_signed_in(&ada).await, "replayed");
    assert!(is_signed_in(&other).await, "the other browser stays");
    assert_eq!(app.visitor().post("/logout", &[]).await.location(), "/login", "without a session too");
    app.finish().await;
}

/// F10: logging in again in the same browser ends the session it had.
#[tokio::test]
async fn a_new_session_replaces_the_old_one() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let old = ada.cookie();

    ada.post("/login", &[("email", "ada@example.com"), ("password", seeds::PASSWORD)]).await;

    assert_ne!(ada.cookie(), old);
    assert!(is_signed_in(&ada).await);
    ada.set_cookie(old);
    assert!(!is_signed_in(&ada).await);
    app.finish().await;
}

/// F10, F12: a session ends when the account is blocked, when all sessions are ended, and when its time is up.
#[tokio::test]
async fn a_session_dies_with_its_reasons() {
    let app = TestApp::start().await;
    for ending in [
        "UPDATE users SET status = 'blocked'",
        "UPDATE users SET session_epoch = session_epoch + 1",
        "UPDATE users SET status = 'new'",
    ] {
        let ada = app.sign_in("ada").await;
        assert!(is_signed_in(&ada).await);
        app.sql(&format!("{ending} WHERE email = 'ada@example.com'")).await;

        assert!(!is_signed_in(&ada).await, "{ending}");

        let answer = ada.try_ask("a boat", &[], None).await;
        assert_eq!((answer.status, answer.location().as_str()), (303, "/login"), "{ending}");
        app.sql("UPDATE users SET status = 'activated' WHERE email = 'ada@example.com'").await;
    }
    let ada = app.sign_in("ada").await;
    app.set_time("sessions", "expires_at", Utc::now() - TimeDelta::seconds(1), "1 = 1").await;
    assert!(!is_signed_in(&ada).await);
    assert_eq!(app.count("SELECT COUNT(*) FROM generations").await, 0);
    app.finish().await;
}

/// F10: cookies that never were a session are a visitor's.
#[tokio::test]
async fn an_invented_cookie_opens_nothing() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let hash = app.text("SELECT token_hash FROM sessions").await;
    let visitor = app.visitor();
    for invented in ["", "x", &hash, "' OR 1=1 --", &"x".repeat(4000)] {
        visitor.set_cookie(Some(format!("__Host-nproxy={invented}")));
        assert!(!is_signed_in(&visitor).await, "{invented}");
    }
    let real = ada.cookie().unwrap().replace("__Host-nproxy", "nproxy");
    visitor.set_cookie(Some(real));
    assert!(!is_signed_in(&visitor).await, "only the name that the browser guards counts");
    app.finish().await;
}

/// F10, F11: who was sent to the login page comes back to where they were going.
#[tokio::test]
async fn logging_in_leads_back() {
    let app = TestApp::start().await;
    let ada = app.visitor();
    let closed = "/app/conversations?prompt=a+cat+%26+a+dog";

    let to_login = ada.get(closed).await;
    assert_eq!(to_login.status, 303);
    assert!(to_login.location().starts_with("/login?next="));
    let form = ada.get(&to_login.location()).await.html().form("form[action='/login']");
    let wrong = ada.submit(&form.fill("email", "ada@example.com").fill("password", "not the password")).await;
    assert_eq!(wrong.status, 422);
    let again = wrong.html().form("form[action='/login']");
    let answer = ada.submit(&again.fill("password", seeds::PASSWORD)).await;

    assert_eq!((answer.status, answer.location().as_str()), (303, closed));
    assert_eq!(ada.get(&to_login.location()).await.location(), closed, "signed in already: straight on");
    app.finish().await;
}

/// F10: a link that somebody else made of our login page never leads to another site.
#[tokio::test]
async fn logging_in_leads_nowhere_else() {
    let app = TestApp::start().await;
    for elsewhere in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/app//evil.example",
        "/app/../..//evil.example",
        "javascript:alert(1)",
        "/app\r\nSet-Cookie: a=b",
        "/app\tx",
        "/app/\u{1}",
        "/app/\u{7f}",
        "/app/ü",
        "\"><script>alert(1)</script>",
        "/login",
        "/logout",
    ] {
        let query: String = url::form_urlencoded::byte_serialize(elsewhere.as_bytes()).collect();
        let page = format!("/login?next={query}");
        let ada = app.visitor();
        let shown = ada.get(&page).await;
        assert!(!shown.body.contains("evil.example"), "{elsewhere:?}");
        assert!(!shown.body.contains("<script>alert"), "{elsewhere:?}");

        assert!(
            shown.html().form("form[action='/login']").fields.iter().all(|(name, _)| name != "next"),
            "{elsewhere:?}"
        );

        let fields = [("email", "ada@example.com"), ("password", seeds::PASSWORD), ("next", elsewhere)];
        for answer in [ada.post("/login", &fields).await, ada.get(&page).await] {
            assert_eq!((answer.status, answer.location().as_str()), (303, "/app/conversations"), "{elsewhere:?}");
            assert!(answer.headers.get_all("set-cookie").iter().count() <= 1, "{elsewhere:?}");
        }
    }
    let answer = log_in_at(&app.visitor(), "/login?next=https%3A%2F%2Fevil.example%2F").await;
    assert_eq!((answer.status, answer.location().as_str()), (303, "/app/conversations"));
    app.finish().await;
}
