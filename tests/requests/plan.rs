//! The plan as its owner sees it: running, renewed, begun early, over.

use chrono::{TimeDelta, Utc};
use nproxy::models::{activities::Actor, allowances};

use crate::support::{Setup, TestApp};

async fn quiet() -> TestApp {
    TestApp::with(Setup { jobs: false, ..Setup::default() }).await
}

/// Takes all that is left of the month that runs.
async fn use_up(app: &TestApp, name: &str) {
    let user = app.user(name).await;
    for month in allowances::current(&app.ctx.db, user.id).await.unwrap() {
        allowances::adjust_by_hand(&app.ctx, month.id, -month.available, "for the test", &Actor::Cli).await.unwrap();
    }
}

/// A month of `name` that waits, as a payment leaves it behind.
async fn pay_ahead(app: &TestApp, name: &str) {
    let person = app.sign_in(name).await;
    let path = app.bill(&person, "btcpay").await;
    app.pay_with_lightning(&path).await;
    let invoice = app.invoice(&path).await;
    nproxy::models::invoices::apply(&app.ctx, invoice.id).await.unwrap();
}

/// F14: each state of a plan has its sentence with a date, what comes next, and one main thing to do.
#[tokio::test]
async fn every_state_has_its_sentence() {
    let app = quiet().await;
    for (name, state, next, label, url) in [
        ("ada", "Not active.", "it begins at once", "Make a picture", "/app/conversations"),
        ("bo", "Active until ", "It ends by itself, and nothing is charged.", "Make a picture", "/app/conversations"),
        ("dee", "Your plan ended on ", "it begins at once", "Renew", "/app/billing#pay"),
    ] {
        let page = app.sign_in(name).await.get("/app").await.html();
        assert!(page.text().contains(state) && page.text().contains(next), "{name}: {}", page.text());
        assert_eq!(page.texts("main a.btn-primary"), [label], "{name}");
        assert_eq!(page.attribute("main a.btn-primary", "href"), url, "{name}");
    }
    use_up(&app, "bo").await;
    let bo = app.sign_in("bo").await;
    let page = bo.get("/app").await.html();
    assert!(page.text().contains("begins at once, in full"));
    assert_eq!(page.texts("main a.btn-primary"), ["Renew"]);
    let composer = bo.get("/app/conversations").await.html();
    assert!(composer.text().contains("This month's pictures are used up; the month ends on "), "{}", composer.text());
    app.finish().await;
}

/// F21: with the scheduler off, a month that is over is over on every page, and a wish is refused with 402, what to do
/// about it, and the way there.
#[tokio::test]
async fn a_plan_that_is_over_leads_to_its_renewal() {
    let app = quiet().await;
    let bo = app.sign_in("bo").await;
    let conversation = bo.ask("a boat", &[]).await;
    bo.post(&bo.get(&conversation).await.html().attribute("form[action$='/cancellation']", "action"), &[]).await;
    app.sql("DELETE FROM jobs").await;
    let user = app.user("bo").await.id;
    use_up_trial(&app, "bo").await;
    let last_second = Utc::now();
    app.set_time("allowances", "expires_at", last_second, &format!("user_id = {user} AND kind = 'quota'")).await;

    for form in ["/app/conversations", &format!("{conversation}/generations")] {
        let token = uuid::Uuid::new_v4().to_string();
        let refused = bo.post_multipart(form, &[("prompt", "a boat"), ("client_token", &token)], None).await;
        let page = refused.html();
        assert_eq!(refused.status, 402, "{form}");
        assert!(page.text().contains("Your plan ended on ") && page.text().contains("Nothing was charged"), "{form}");
        assert!(page.texts("#composer a[href='/app/billing']").contains(&"Renew".to_owned()), "{form}");
    }
    let page = bo.get("/app").await.html();
    assert!(page.text().contains("Your plan ended on ") && page.text().contains("Plan ended"));
    let billing = bo.get("/app/billing").await.html();
    assert!(billing.text().contains("Your plan ended on ") && billing.has("#pay form button"));
    assert_eq!(billing.texts("#pay-title"), ["Renew"]);
    assert_eq!(bo.get(&conversation).await.status, 200, "what was made stays");
    app.abandon().await;
}

async fn use_up_trial(app: &TestApp, name: &str) {
    let user = app.user(name).await.id;
    let trial = app.count(&format!("SELECT id FROM allowances WHERE kind = 'trial' AND user_id = {user}")).await;
    let left = app.count(&format!("SELECT available FROM allowances WHERE id = {trial}")).await;
    allowances::adjust_by_hand(&app.ctx, trial, -left, "for the test", &Actor::Cli).await.unwrap();
}

/// F23: a paid month that waits can begin now: first the page says what is given up and when the new end is, then one
/// press does it; the same press again changes nothing.
#[tokio::test]
async fn the_next_month_on_request() {
    let app = quiet().await;
    let bo = app.sign_in("bo").await;
    assert_eq!(bo.get("/app/billing/early-start").await.location(), "/app/billing", "nothing waits");
    pay_ahead(&app, "bo").await;
    let billing = bo.get("/app/billing").await.html();
    assert!(billing.text().contains("Your next month is paid. It begins on ") && !billing.has("#pay form"));
    assert_eq!(billing.attribute("#pay a", "href"), "/app/billing/early-start");

    let page = bo.get("/app/billing/early-start").await.html();
    let text = page.text();
    assert!(text.contains("about 100 % of it, is given up") && text.contains("This cannot be undone"), "{text}");
    let form = page.form("form[action='/app/billing/early-start']");
    let done = bo.submit(&form).await;
    assert_eq!((done.status, done.location().as_str()), (303, "/app/billing?done=started"));
    let after = bo.get(&done.location()).await.html();
    assert!(after.text().contains("Your next month has begun, in full.") && after.has("#pay form"));
    let again = bo.submit(&form).await;
    assert_eq!((again.status, again.location().as_str()), (303, "/app/billing"));
    assert_eq!(bo.post("/app/billing/early-start", &[("waiting", "soon")]).await.status, 400);

    let user = app.user("bo").await;
    let months = allowances::current(&app.ctx.db, user.id).await.unwrap();
    let quota: Vec<_> = months.iter().filter(|month| month.expires_at.is_some()).collect();
    assert_eq!(quota.len(), 1);
    assert!((quota[0].starts_at - Utc::now()).abs() < TimeDelta::minutes(1));

    pay_ahead(&app, "bo").await;
    use_up(&app, "bo").await;
    let dashboard = bo.get("/app").await.html();
    assert_eq!(dashboard.texts("main a.btn-primary"), ["Start my next month now"]);
    assert!(bo.get("/app/billing/early-start").await.html().text().contains("nothing is lost but its days"));
    app.finish().await;
}
