//! Looking through somebody's eyes.

use chrono::TimeDelta;

use super::{admin, count, leaves_one, newest_reason};
use crate::support::{Setup, TestApp};

/// F47: an admin who says why sees a person's pages under a banner, changes nothing there, and is back by a button or when
/// the time is over. Beginning and end are one activity each.
#[tokio::test]
async fn an_admin_sees_what_somebody_sees_and_changes_nothing() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.user("ada").await;
    let conversation = app.sign_in("ada").await.ask("a secret lighthouse", &[]).await;
    app.idle().await;
    let (cy, me) = (admin(&app).await, app.user("cy").await);
    assert_eq!(cy.get(&conversation).await.status, 404, "not without saying so");
    let path = format!("/admin/users/{}/view", ada.id);
    let form = cy.get(&path).await.html().form("#action");
    assert_eq!(cy.submit(&form).await.status, 422, "it takes a reason");
    let about = format!("user:{}", ada.id);
    let begun = leaves_one(&app, &me, "view_as", &about, cy.submit(&form.fill("reason", "a complaint"))).await;
    assert_eq!((begun.status, begun.location().as_str()), (303, "/app"));
    assert_eq!(newest_reason(&app, "user", ada.id).await, "a complaint");

    let seen = cy.get(&conversation).await;
    assert!(seen.body.contains("a secret lighthouse"));
    assert!(seen.html().texts("#viewing")[0].starts_with("You see what ada@example.com sees, until "));
    let before = count(&app).await;
    let title = "SELECT COALESCE(MAX(title), '') FROM conversations";
    let was = app.text(title).await;
    for (path, form) in [
        (format!("{conversation}/title"), vec![("title", "hacked")]),
        (format!("{conversation}/archival"), vec![]),
        (format!("{conversation}/deletion"), vec![]),
        ("/app/conversations".into(), vec![("prompt", "hacked"), ("client_token", "x")]),
        ("/app/account/password".into(), vec![("password", "hacked hacked hacked")]),
        ("/app/billing/invoices".into(), vec![("processor", "btcpay")]),
        ("/app/account/sessions/revocation".into(), vec![]),
    ] {
        let refused = cy.post(&path, &form).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.html().text().contains("You are only looking"), "{path}");
    }
    assert_eq!((app.text(title).await, count(&app).await), (was, before), "nothing happened");
    assert_eq!(cy.get("/admin/users").await.status, 200, "the admin is still the admin");

    let ended = leaves_one(&app, &me, "end_view_as", &about, cy.post("/admin/viewing/end", &[])).await;
    assert_eq!(ended.location(), format!("/admin/users/{}", ada.id));
    assert_eq!(cy.get(&conversation).await.status, 404);

    let form = cy.get(&path).await.html().form("#action").fill("reason", "once more");
    assert_eq!(cy.submit(&form).await.status, 303);
    let past = nproxy::models::clock::now(&app.ctx.db).await.unwrap() - TimeDelta::seconds(1);
    app.set_time("sessions", "viewed_until", past, "viewed_until IS NOT NULL").await;
    assert_eq!(cy.get(&conversation).await.status, 404, "it ends by itself");
    app.finish().await;
}

/// F47: nobody of the house is looked at, and no one but an admin looks.
#[tokio::test]
async fn the_house_is_not_looked_at() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    app.appoint("eve", nproxy::models::users::Role::Support).await;
    let eve = app.user("eve").await;
    let before = count(&app).await;
    let refused = cy.post(&format!("/admin/users/{}/view", eve.id), &[("reason", "curiosity")]).await;
    assert_eq!((refused.status, count(&app).await), (409, before));
    app.finish().await;
}
