//! Every form of the house leaves exactly one activity, by the person who sent it.

use loco_rs::app::Hooks;
use nproxy::{app::App, models::users::Role};
use reqwest::Method;

use crate::support::{Setup, TestApp, staff};

/// `(route, address, form)`
type Change = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Each route that changes something, in the order in which they are tried.
const CHANGES: &[Change] = &[
    ("/admin/settings/{name}", "/admin/settings/generation_paused", &[("says", "Back soon."), ("reason", "moving")]),
    ("/admin/settings/{name}/release", "/admin/settings/generation_paused/release", &[("reason", "moved")]),
    ("/admin/second-factor/renewal", "/admin/second-factor/renewal", &[]),
];

/// Changes nothing but what the session has shown, or is tried by [`staff::enrol`] because it takes a code.
const OTHERS: &[&str] = &["/admin/second-factor", "/admin/second-factor/enrolment"];

/// F62, X57, invariant 10: the routes come from the router; one that is in neither list fails the test. Each change leaves
/// one row, by `admin:ID`, with its reason where one was asked for, and a support role or a stranger leaves none.
#[tokio::test]
async fn f62_every_form_leaves_exactly_one_row() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    for route in App::routes(&app.ctx).collect() {
        let changes = route.actions.iter().any(|action| *action != Method::GET);
        let known = CHANGES.iter().any(|(known, ..)| *known == route.uri) || OTHERS.contains(&route.uri.as_str());
        assert!(!changes || !route.uri.starts_with("/admin") || known, "{} is in no list: say what it does", route.uri);
    }
    app.appoint("cy", Role::Owner).await;
    app.appoint("bo", Role::Support).await;
    let rows = async || app.count("SELECT COUNT(*) FROM activities").await;

    let cy = app.sign_in("cy").await;
    let before = rows().await;
    staff::enrol(&cy).await;
    assert_eq!(rows().await - before, 1, "the enrolment");
    let (bo, ada) = (app.sign_in_staff("bo").await, app.sign_in("ada").await);
    let actor = format!("admin:{}", app.user("cy").await.id);
    for (route, address, form) in CHANGES {
        // A support role renews its own factor and nothing else.
        let (before, own) = (rows().await, i64::from(*route == "/admin/second-factor/renewal"));
        assert_eq!(ada.post(address, form).await.status, 404, "{route}");
        assert_eq!(app.visitor().post(address, form).await.status, 404, "{route}");
        bo.post(address, form).await;
        assert_eq!(rows().await - before, own, "{route} by support");

        let before = rows().await;
        let done = cy.post(address, form).await;
        assert_eq!(done.status, 303, "{route}: {}", done.html().text());
        assert_eq!(rows().await - before, 1, "{route}");
        let by = app.text("SELECT actor_type || ':' || actor_id FROM activities ORDER BY id DESC LIMIT 1").await;
        assert_eq!(by, actor, "{route}");
        let reason = form.iter().find(|(name, _)| *name == "reason").map(|(_, reason)| *reason);
        let id = app.count("SELECT MAX(id) FROM activities").await;
        let detail = app.text(&format!("SELECT CAST(detail AS TEXT) FROM activities WHERE id = {id}")).await;
        assert!(detail.contains(reason.unwrap_or("another phone")), "{route}: {detail}");
    }
    app.finish().await;
}
