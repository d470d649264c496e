//! The invoice that lies ready before a plan ends.

use chrono::{DateTime, Months, TimeDelta, Utc};
use futures::future::join_all;
use nproxy::models::{
    allowances::{self, Kind},
    clock,
    generations::Submission,
    invoices::{self, Opening, State, links},
};
use sandbox::{Amount, btcpay::Way};

use super::{
    invoices::{buy, open, quiet, spend, submit},
    warnings::send,
};
use crate::support::TestApp;

/// Long after the plans of the standing cast.
fn start() -> DateTime<Utc> {
    "2027-03-10T08:00:00Z".parse().unwrap()
}

async fn prepare(app: &TestApp, now: DateTime<Utc>) {
    clock::at(now, app.task("renewal_invoices", &[])).await.unwrap();
}

async fn all(app: &TestApp) -> Vec<invoices::Model> {
    invoices::list(&app.ctx.db, &app.user("ada").await).await.unwrap()
}

/// F23: from 72 hours before the end one unpaid invoice lies ready, however often and in however many places the task
/// runs; the processor has not heard of it, nothing is promised, and a mail leads straight to it.
#[tokio::test]
async fn one_lies_ready() {
    let app = quiet().await;
    let end = buy(&app, "ada", start()).await.expires_at.unwrap();
    let ready = end - TimeDelta::hours(72);
    prepare(&app, ready - TimeDelta::seconds(1)).await;
    assert_eq!(all(&app).await.len(), 1, "the paid one alone");
    join_all((0..8).map(|_| prepare(&app, ready))).await;
    prepare(&app, end - TimeDelta::hours(1)).await;

    let invoices = all(&app).await;
    assert_eq!(invoices.len(), 2);
    let lies = &invoices[0];
    assert_eq!((lies.state(), lies.processor.as_str(), lies.is_unopened()), (State::New, "btcpay", true));
    assert_eq!(app.sandbox.btcpay().invoices().len(), 1, "nobody was asked for a checkout");
    clock::at(end - TimeDelta::days(1), invoices::poll(&app.ctx)).await.unwrap();
    clock::at(ready, invoices::apply(&app.ctx, lies.id)).await.unwrap();
    assert_eq!(all(&app).await[0], *lies, "nor is anybody asked for it");

    clock::at(ready, app.task("subscription_expiry_warnings", &[])).await.unwrap();
    send(&app, ready).await;
    let mail = app.sandbox.mail().to("ada@example.com").pop().unwrap();
    assert_eq!(mail.links(), [links::link(&app.ctx, lies).unwrap()], "in text and HTML alike");
    app.finish().await;
}

/// F23: who opens it sees the amount for an hour, pays, and has the next month from the old end on; the person's own press
/// on "Renew" finds the same invoice.
#[tokio::test]
async fn it_is_opened_and_paid() {
    let app = quiet().await;
    let first = buy(&app, "ada", start()).await;
    let end = first.expires_at.unwrap();
    prepare(&app, end - TimeDelta::hours(70)).await;
    let lies = all(&app).await.remove(0);
    let opened_at = end - TimeDelta::hours(9);
    let opened = open(&app, "ada", opened_at).await;
    assert_eq!(opened.id, lies.id, "it is used again");
    assert!(!opened.is_unopened() && opened.checkout_url.is_some());
    assert_eq!(opened.processor_ref, Some(app.sandbox.btcpay().invoices().pop().unwrap().id));
    let next = opened.next_poll_at.unwrap();
    assert!(next - opened_at < TimeDelta::minutes(1), "it is looked at as often as a new one: {next}");

    app.sandbox.btcpay().pay(opened.processor_ref.as_deref().unwrap(), Way::Lightning, Amount::Due).unwrap();
    clock::at(opened_at, invoices::apply(&app.ctx, opened.id)).await.unwrap();
    let month = opened.bought(&app.ctx.db).await.unwrap().unwrap();
    assert_eq!((month.starts_at, month.expires_at.unwrap()), (end, end + Months::new(1)));
    prepare(&app, end - TimeDelta::hours(1)).await;
    assert_eq!(all(&app).await.len(), 2, "whose next month is paid needs no invoice");
    app.finish().await;
}

/// F23: by its link, without a session, the page says what it is and asks for a checkout at one press.
#[tokio::test]
async fn it_is_opened_by_its_link() {
    let app = quiet().await;
    let ends = Utc::now() + TimeDelta::hours(60);
    app.task("grant", &[("email", "ada@example.com"), ("kind", "quota"), ("amount", "5")]).await.unwrap();
    let user = app.user("ada").await.id;
    app.set_time("allowances", "expires_at", ends, &format!("kind = 'quota' AND user_id = {user}")).await;
    app.task("renewal_invoices", &[]).await.unwrap();
    let lies = all(&app).await.remove(0);
    let link = links::link(&app.ctx, &lies).unwrap().replace(&app.url, "");
    let visitor = app.visitor();
    let page = visitor.get(&link).await.html();
    assert!(page.text().contains("Your invoice is ready") && !page.has(".method"), "{}", page.text());
    assert_eq!(page.texts("main form button"), ["Show how to pay"]);
    assert!(!page.texts("main dl dt").contains(&"Pay before".to_owned()), "nothing is promised yet");
    let pressed = visitor.submit(&page.form("main form")).await;
    assert_eq!((pressed.status, pressed.location()), (303, link.clone()));
    let page = visitor.get(&link).await.html();
    assert!(page.text().contains("Waiting for your payment") && page.has(".method"), "{}", page.text());
    assert!(!page.has("[data-until]"), "the whole hour is left");
    app.finish().await;
}

/// F23: nothing is extended without a payment, ever: at the end the plan is over, the invoice stays unpaid and is closed a
/// week later without a word to the processor, and no second one takes its place.
#[tokio::test]
async fn unpaid_it_extends_nothing() {
    let app = quiet().await;
    let end = buy(&app, "ada", start()).await.expires_at.unwrap();
    let trial = allowances::all_of(&app.ctx.db, app.user("ada").await.id).await.unwrap().remove(0);
    spend(&app, &trial, trial.available).await;
    for hours in [71, 48, 24, 1] {
        prepare(&app, end - TimeDelta::hours(hours)).await;
    }
    prepare(&app, end).await;
    assert!(matches!(submit(&app, "ada", end).await, Submission::Short));
    let left = clock::at(end, allowances::current(&app.ctx.db, app.user("ada").await.id)).await.unwrap();
    assert!(left.iter().all(|it| it.kind() == Kind::Trial && it.available == 0), "{left:?}");
    let lies = all(&app).await.remove(0);
    assert_eq!(lies.state_at(end + TimeDelta::days(6)), State::New, "who is late finds it still");
    clock::at(end + TimeDelta::days(8), invoices::poll(&app.ctx)).await.unwrap();
    let closed = all(&app).await.remove(0);
    assert_eq!((closed.id, closed.state(), closed.next_poll_at), (lies.id, State::Expired, None));
    assert_eq!((all(&app).await.len(), app.months().await), (2, 1));
    app.finish().await;
}

/// F23: an invoice that is open already is the one; one that was opened and ran out is not replaced by the task, but by
/// the person's next press.
#[tokio::test]
async fn what_is_there_is_used() {
    let app = quiet().await;
    let end = buy(&app, "ada", start()).await.expires_at.unwrap();
    let early = end - TimeDelta::hours(73);
    let own = open(&app, "ada", early).await;
    prepare(&app, end - TimeDelta::hours(72) - TimeDelta::minutes(30)).await;
    assert_eq!(all(&app).await.len(), 2);
    app.set_time("invoices", "expires_at", early + TimeDelta::hours(1), "state = 'new'").await;
    let now = end - TimeDelta::hours(70);
    prepare(&app, now).await;
    let invoices = all(&app).await;
    assert_eq!((invoices.len(), invoices[1].id), (3, own.id));
    assert_eq!(invoices[1].state(), State::Expired, "its time was over, though no job had been there");
    let opened = open(&app, "ada", now).await;
    assert_eq!(opened.id, invoices[0].id);
    app.set_time("invoices", "expires_at", now + TimeDelta::hours(1), "state = 'new'").await;
    let later = now + TimeDelta::hours(2);
    prepare(&app, later).await;
    assert_eq!(all(&app).await.len(), 3);
    assert_ne!(open(&app, "ada", later).await.id, opened.id);

    let other = clock::at(later, invoices::open(&app.ctx, &app.user("ada").await, "nowpayments")).await.unwrap();
    assert!(matches!(other, Opening::Open(it) if it.processor == "nowpayments"), "another way to pay takes its place");
    app.finish().await;
}
