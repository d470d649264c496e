//! Who comes into `/admin`, and what it takes.

use loco_rs::app::Hooks;
use nproxy::{app::App, models::users::Role};
use reqwest::Method;

use crate::support::{Answer, Person, Setup, TestApp, staff};

async fn quiet() -> TestApp {
    TestApp::with(Setup { jobs: false, ..Setup::default() }).await
}

/// Every address of the house, as the router knows them, with a number or an id where it asks for one.
fn addresses(app: &TestApp) -> Vec<(Method, String)> {
    let mut found = Vec::new();
    for route in App::routes(&app.ctx).collect() {
        if route.uri != "/admin" && !route.uri.starts_with("/admin/") {
            continue;
        }
        let path = route.uri.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        for action in &route.actions {
            found.push((action.clone(), path.clone()));
        }
    }
    found
}

async fn try_it(person: &Person, method: &Method, path: &str) -> Answer {
    person.send(person.request(method.clone(), path).header("sec-fetch-site", "same-origin")).await
}

/// F47, X57: for somebody who is not of the house, every address of the admin and every verb on it is a page that is not
/// there: the same status and the same bytes as an address that nobody has ever used. Nothing is done.
#[tokio::test]
async fn strangers_find_nothing() {
    let app = quiet().await;
    let before = app.count("SELECT COUNT(*) FROM activities").await;
    let ada = app.sign_in("ada").await;
    let known = addresses(&app);
    assert!(known.iter().any(|(method, path)| *method == Method::GET && path == "/admin"), "{known:?}");
    assert!(known.iter().any(|(method, _)| *method == Method::POST), "{known:?}");
    let missing = ada.get("/admin/there/was/never/such/a/page").await;
    assert_eq!(missing.status, 404);
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
        for (_, path) in &known {
            let answer = try_it(&ada, &method, path).await;
            assert_eq!((answer.status, answer.header("allow")), (404, ""), "{method} {path}");
            assert_eq!(answer.without_reference(), missing.without_reference(), "{method} {path}");
        }
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM activities").await, before);
    app.finish().await;
}

/// F47: a visitor is led to the login page from every address of the house, whether it exists or not, and brought back; a
/// form of a visitor finds nothing.
#[tokio::test]
async fn visitors_are_led_to_the_login_page() {
    let app = quiet().await;
    let visitor = app.visitor();
    for path in ["/admin", "/admin/", "/admin/settings?x=1", "/admin/no-such-page"] {
        let answer = visitor.get(path).await;
        let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        assert_eq!((answer.status, answer.location()), (303, format!("/login?next={next}")), "{path}");
    }
    for (method, path) in addresses(&app).iter().filter(|(method, _)| *method == Method::POST) {
        assert_eq!(try_it(&visitor, method, path).await.status, 404, "{path}");
    }
    let login = visitor.get("/login?next=%2Fadmin%2Fhealth").await.html();
    let form = login.form("form[action='/login']").fill("email", "cy@example.com");
    let in_again = visitor.submit(&form.fill("password", nproxy::models::users::seeds::PASSWORD)).await;
    assert_eq!(in_again.location(), "/admin/health");
    app.finish().await;
}

/// F47, ASVS 6.3.3: before the second factor, somebody of the house sees none of its pages; it is set up with the password
/// and a code, recovery codes are shown once, and the database holds neither in clear.
#[tokio::test]
async fn the_second_factor_is_set_up_at_the_first_visit() {
    let app = quiet().await;
    let cy = app.sign_in("cy").await;
    for path in ["/admin", "/admin/health", "/admin/no-such-page"] {
        let answer = cy.get(path).await;
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.location().starts_with("/admin/second-factor?next=%2Fadmin"), "{}", answer.location());
    }
    assert_eq!(cy.get("/admin/second-factor").await.location(), "/admin/second-factor/enrolment");

    let page = cy.get("/admin/second-factor/enrolment").await.html();
    let picture = cy.get(&page.attribute("main img", "src")).await;
    assert_eq!((picture.status, picture.header("content-type")), (200, "image/svg+xml"));
    let offer = page.value("offer");
    let form = || page.form("form[action='/admin/second-factor/enrolment']");
    let wrong = cy.submit(&form().fill("password", "not the password").fill("code", "123456")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.html().text().contains("This is not your password."), "{}", wrong.html().text());
    let password = nproxy::models::users::seeds::PASSWORD;
    let wrong = cy.submit(&form().fill("password", password).fill("code", "12345")).await;
    assert_eq!((wrong.status, wrong.html().value("offer")), (422, offer.clone()), "the same secret, once more");

    // The offer is worth nothing in another session, even of the same person.
    let elsewhere = app.sign_in("cy").await;
    let fields = [("offer", offer.as_str()), ("password", password), ("code", "123456")];
    let refused = elsewhere.post("/admin/second-factor/enrolment", &fields).await;
    assert_eq!((refused.status, refused.location().as_str()), (303, "/admin/second-factor/enrolment"));
    let query: String = url::form_urlencoded::byte_serialize(offer.as_bytes()).collect();
    assert_eq!(elsewhere.get(&format!("/admin/second-factor/qr?offer={query}")).await.status, 404);

    let phone = staff::enrol(&cy).await;
    assert_eq!(phone.recovery_codes.len(), 10);
    assert_eq!(cy.get("/admin").await.status, 200);
    assert_eq!(cy.get("/admin/no-such-page").await.status, 404);
    let stored = app.text("SELECT secret_enc || recovery_hashes FROM second_factors").await;
    assert!(stored.starts_with("v1."), "{stored}");
    assert!(phone.recovery_codes.iter().all(|code| !stored.contains(&code.replace('-', ""))));
    assert_eq!(app.count("SELECT COUNT(*) FROM activities WHERE activity_type = 'enrol_second_factor'").await, 1);

    // The other session has the password and not the phone.
    assert!(elsewhere.get("/admin").await.location().starts_with("/admin/second-factor"));
    assert_eq!(elsewhere.get("/admin/second-factor/enrolment").await.location(), "/admin/second-factor");
    app.finish().await;
}

/// No code is taken twice, neither from the clock nor from the list; guesses are counted and stop being looked at.
#[tokio::test]
async fn a_code_opens_once() {
    let app = quiet().await;
    let first = app.sign_in("cy").await;
    let phone = staff::enrol(&first).await;
    let second = app.sign_in("cy").await;
    let show =
        async |code: &str| second.post("/admin/second-factor", &[("code", code), ("next", "/admin/health")]).await;

    // The step that set it up was used by that; the next one is taken, for phones whose clock is ahead.
    assert_eq!(show(&phone.code(0)).await.status, 422);
    let ahead = phone.code(1);
    let right = show(&ahead).await;
    assert_eq!((right.status, right.location().as_str()), (303, "/admin/health"));
    assert_eq!(second.get("/admin").await.status, 200);
    assert_eq!(show(&ahead).await.status, 422, "a replay");
    assert_eq!(show(&phone.code(0)).await.status, 422, "an older one");

    let third = app.sign_in("cy").await;
    let code = phone.recovery_codes[3].to_uppercase().replace('-', " ");
    assert_eq!(third.post("/admin/second-factor", &[("code", &code)]).await.location(), "/admin");
    assert_eq!(third.get("/admin").await.status, 200);
    assert_eq!(third.post("/admin/second-factor", &[("code", &code)]).await.status, 422);
    assert!(third.get("/admin/second-factor").await.html().text().contains("You have 9 left"));

    let mut statuses = Vec::new();
    for guess in 0..6 {
        statuses.push(third.post("/admin/second-factor", &[("code", &format!("00000{guess}"))]).await.status);
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    let refused = third.post("/admin/second-factor", &[("code", &phone.recovery_codes[0])]).await;
    assert_eq!(refused.status, 429, "also a right one waits");
    app.finish().await;
}

/// What was shown in the morning does not open the evening, and what is dangerous asks again after ten minutes: nothing
/// happens, and the way leads back to the page with the button.
#[tokio::test]
async fn what_was_shown_grows_old() {
    let app = quiet().await;
    let cy = app.sign_in_staff("cy").await;
    let ago = async |minutes: i64| {
        let then = chrono::Utc::now() - chrono::TimeDelta::minutes(minutes);
        app.set_time("sessions", "proved_at", then, "proved_at IS NOT NULL").await;
    };
    ago(11).await;
    assert_eq!(cy.get("/admin").await.status, 200);
    let press = cy.request(Method::POST, "/admin/second-factor/renewal").header("sec-fetch-site", "same-origin");
    let asked = cy.send(press.header("referer", format!("{}/admin/settings?tab=1", app.url))).await;
    assert_eq!(asked.location(), "/admin/second-factor?next=%2Fadmin%2Fsettings%3Ftab%3D1");
    assert_eq!(app.count("SELECT COUNT(*) FROM second_factors").await, 1, "nothing was done");
    // Somebody else's page is no page to come back to.
    let press = cy.request(Method::POST, "/admin/second-factor/renewal").header("sec-fetch-site", "same-origin");
    let asked = cy.send(press.header("referer", "https://evil.example/app")).await;
    assert_eq!(asked.location(), "/admin/second-factor?next=%2Fadmin");

    app.show_factor("cy", &cy).await;
    let done = cy.post("/admin/second-factor/renewal", &[]).await;
    assert_eq!(done.location(), "/admin/second-factor/enrolment");
    assert_eq!(app.count("SELECT COUNT(*) FROM second_factors").await, 0);
    staff::enrol(&cy).await;
    ago(12 * 60 + 1).await;
    assert!(cy.get("/admin").await.location().starts_with("/admin/second-factor?next="));
    app.finish().await;
}

/// F47: who loses the role loses the pages with the next request; who gets one sets up a factor first.
#[tokio::test]
async fn a_role_counts_at_once() {
    let app = quiet().await;
    let bo = app.sign_in("bo").await;
    assert_eq!(bo.get("/admin").await.status, 404);
    app.task("role_change", &[("email", "bo@example.com"), ("role", "support")]).await.unwrap();
    assert!(bo.get("/admin").await.location().starts_with("/admin/second-factor"));
    staff::enrol(&bo).await;
    assert_eq!(bo.get("/admin").await.status, 200);
    assert!(bo.get("/app").await.html().has("a[href='/admin']"), "staff find the way");
    assert_eq!(
        bo.post("/admin/settings/banner", &[("says", "hello"), ("reason", "x")]).await.status,
        404,
        "looks only"
    );
    app.task("role_change", &[("email", "bo@example.com"), ("role", "user")]).await.unwrap();
    assert_eq!(bo.get("/admin").await.status, 404);
    assert!(!bo.get("/app").await.html().has("a[href='/admin']"));
    assert_eq!(app.count("SELECT COUNT(*) FROM second_factors").await, 0);
    app.finish().await;
}

/// A deleted account takes its second factor along.
#[tokio::test]
async fn the_factor_goes_with_its_person() {
    let app = quiet().await;
    app.appoint("bo", Role::Admin).await;
    let bo = app.sign_in_staff("bo").await;
    let password = nproxy::models::users::seeds::PASSWORD;
    let gone = bo.post("/app/account/deletion", &[("password", password)]).await;
    assert!(gone.status < 400, "{}", gone.html().text());
    assert_eq!(app.count("SELECT COUNT(*) FROM second_factors").await, 0);
    app.finish().await;
}
