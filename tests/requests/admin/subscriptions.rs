//! Plans.

use chrono::TimeDelta;
use nproxy::models::{clock, subscriptions as plans};

use super::{admin, count, leaves_one};
use crate::support::{Setup, TestApp};

/// F48: plans are listed by how they stand; one is made longer, and ended, each with a reason and one activity.
#[tokio::test]
async fn a_plan_is_extended_and_ended() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let bo = app.user("bo").await;
    let id = plans::of(&app.ctx.db, bo.id).await.unwrap().unwrap().id;
    assert_eq!(cy.get("/admin/subscriptions?scope=active").await.html().texts("tbody tr").len(), 2, "bo and cy");
    let over = cy.get("/admin/subscriptions?scope=over").await.html().texts("tbody tr");
    assert!(over.len() == 1 && over[0].starts_with("dee@example.com Over"), "{over:?}");
    assert_eq!(cy.get("/admin/subscriptions?scope=soon").await.html().texts("tbody tr").len(), 0);
    let found = cy.get("/admin/subscriptions?q=user:bo@example.com").await.html();
    assert_eq!(found.attributes("tbody tr", "id"), [format!("row-{id}")]);

    let now = clock::now(&app.ctx.db).await.unwrap();
    let before = plans::cycles(&app.ctx.db, bo.id, now).await.unwrap().running.unwrap();
    let form = cy.get(&format!("/admin/subscriptions/{id}/extension")).await.html().form("#action");
    let form = form.fill("days", "3").fill("reason", "an outage");
    leaves_one(&app, &me, "extend_subscription", &format!("subscription:{id}"), cy.submit(&form)).await;
    let after = plans::cycles(&app.ctx.db, bo.id, now).await.unwrap().running.unwrap();
    assert_eq!(after.expires_at.unwrap() - before.expires_at.unwrap(), TimeDelta::days(3));
    assert_eq!((after.available, after.id), (before.available, before.id));

    let page = cy.get(&format!("/admin/subscriptions/{id}/cancellation")).await.html();
    assert!(page.texts("#consequences").join(" ").contains("Nothing is owed, and nothing is paid back."));
    let form = page.form("#action").fill("reason", "bo asked for it").fill("confirm", "bo@example.com");
    leaves_one(&app, &me, "cancel_subscription", &format!("subscription:{id}"), cy.submit(&form)).await;
    let now = clock::now(&app.ctx.db).await.unwrap();
    let cycles = plans::cycles(&app.ctx.db, bo.id, now).await.unwrap();
    assert_eq!((cycles.state(), cycles.running), (plans::State::Expired, None));
    let activities = count(&app).await;
    assert_eq!(cy.submit(&form).await.status, 409, "twice is once");
    assert_eq!(count(&app).await, activities);
    app.finish().await;
}

/// F48: what waits behind the running month moves with it, and is called off with it.
#[tokio::test]
async fn a_month_that_waits_follows() {
    let app = TestApp::start().await;
    let cy = admin(&app).await;
    let bo = app.user("bo").await;
    let person = app.sign_in("bo").await;
    let path = app.bill(&person, "btcpay").await;
    app.pay_with_lightning(&path).await;
    crate::support::eventually("the month", || async { (app.months().await == 1).then_some(()) }).await;
    let id = plans::of(&app.ctx.db, bo.id).await.unwrap().unwrap().id;
    let now = clock::now(&app.ctx.db).await.unwrap();
    let waiting = plans::cycles(&app.ctx.db, bo.id, now).await.unwrap().queued.unwrap();
    let form = cy.get(&format!("/admin/subscriptions/{id}/extension")).await.html().form("#action");
    assert_eq!(cy.submit(&form.fill("days", "2").fill("reason", "an outage")).await.status, 303);
    let moved = plans::cycles(&app.ctx.db, bo.id, now).await.unwrap();
    let (running, queued) = (moved.running.unwrap(), moved.queued.unwrap());
    assert_eq!(queued.starts_at - waiting.starts_at, TimeDelta::days(2));
    assert_eq!(Some(queued.starts_at), running.expires_at, "no gap and no overlap");

    let form = cy.get(&format!("/admin/subscriptions/{id}/cancellation")).await.html().form("#action");
    assert_eq!(cy.submit(&form.fill("reason", "bo asked for it").fill("confirm", "bo@example.com")).await.status, 303);
    let now = clock::now(&app.ctx.db).await.unwrap();
    let cycles = plans::cycles(&app.ctx.db, bo.id, now).await.unwrap();
    assert_eq!((cycles.running, cycles.queued), (None, None));
    app.finish().await;
}
