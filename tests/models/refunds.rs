//! What operators do with invoices.

use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use nproxy::models::{
    activities::{self, Actor},
    allowances::{self, Standing},
    clock, debts,
    generations::Submission,
    invoices::{self, Applied, Marking, Refunding, State},
    subscriptions,
};
use sandbox::{Amount, Spoil, btcpay::Way};

use super::{
    invoices::{buy, open, quiet, submit},
    warnings::send,
};
use crate::support::TestApp;

async fn again(app: &TestApp, invoice: &invoices::Model) -> invoices::Model {
    invoices::by_id(&app.ctx.db, invoice.id).await.unwrap().unwrap()
}

async fn traces(app: &TestApp, invoice: &invoices::Model) -> Vec<(String, String)> {
    let rows = activities::about(&app.ctx.db, "invoice", invoice.id).await.unwrap();
    rows.into_iter().map(|row| (row.activity_type, format!("{}:{}", row.actor_type, row.actor_id))).collect()
}

/// F49: marked by eight hands at once an invoice is paid once: one month, one trace with the reason, one receipt; a payment
/// that comes after that gives nothing more. Without a reason nothing happens.
#[tokio::test]
async fn marked_paid_once() {
    let app = quiet().await;
    let now = Utc::now();
    let invoice = open(&app, "ada", now).await;
    let cy = Actor::User(app.user("cy").await.id);
    assert_eq!(invoices::mark_paid(&app.ctx, &invoice, &cy, "  ").await.unwrap(), Marking::NoReason);
    assert_eq!(app.months().await, 0);

    let hands = (0..8).map(|_| invoices::mark_paid(&app.ctx, &invoice, &cy, "paid by bank"));
    let came: Vec<_> = join_all(hands).await.into_iter().map(Result::unwrap).collect();
    let marked: Vec<_> = came.iter().filter(|it| matches!(it, Marking::Marked(_))).collect();
    assert_eq!(marked.len(), 1, "{came:?}");
    assert!(came.iter().all(|it| matches!(it, Marking::Marked(_) | Marking::AlreadyPaid)));
    let paid = again(&app, &invoice).await;
    assert_eq!((paid.state(), paid.marked, paid.paid_minor), (State::Paid, true, 0));
    assert!(paid.paid_at.is_some() && paid.next_poll_at.is_none());
    let month = paid.bought(&app.ctx.db).await.unwrap().unwrap();
    assert_eq!(Marking::Marked(month.clone()), *marked[0]);
    assert_eq!(traces(&app, &invoice).await, [("mark_invoice_paid".to_owned(), cy.name())]);
    let grant = format!("SELECT actor || ' ' || reason FROM ledger_entries WHERE allowance_id = {}", month.id);
    assert_eq!(app.text(&grant).await, format!("{} paid by bank", cy.name()));
    send(&app, now).await;
    let mail = app.sandbox.mail().to("ada@example.com");
    assert_eq!(mail.len(), 1);
    assert!(mail[0].text.contains("is settled") && !mail[0].text.contains("payment of"), "{}", mail[0].text);

    app.sandbox.btcpay().pay(invoice.processor_ref.as_deref().unwrap(), Way::Lightning, Amount::Due).unwrap();
    assert_eq!(invoices::apply(&app.ctx, invoice.id).await.unwrap(), Applied::Stands(State::Paid, false));
    assert_eq!((again(&app, &invoice).await.paid_minor, app.months().await), (999, 1));
    app.finish().await;
}

/// F49: one that nobody could open a checkout for, that ran out or was closed, can be marked too; one that was given back
/// cannot.
#[tokio::test]
async fn what_can_be_marked() {
    let app = quiet().await;
    let now = Utc::now();
    app.sandbox.btcpay().troubles().fail(Spoil::Status { code: 502 });
    let without = open(&app, "ada", now).await;
    app.sandbox.btcpay().troubles().heal();
    assert_eq!(without.checkout_url, None);
    assert!(matches!(invoices::mark_paid(&app.ctx, &without, &Actor::Cli, "a").await.unwrap(), Marking::Marked(_)));
    for state in ["expired", "canceled", "underpaid"] {
        let invoice = open(&app, "eve", now).await;
        app.sql(&format!("UPDATE invoices SET state = '{state}' WHERE id = {}", invoice.id)).await;
        let marking = invoices::mark_paid(&app.ctx, &invoice, &Actor::Cli, "a").await.unwrap();
        assert!(matches!(marking, Marking::Marked(_)), "{state}: {marking:?}");
        let refunding = invoices::refund(&app.ctx, &invoice, &Actor::Cli, "a").await.unwrap();
        assert!(matches!(refunding, Refunding::Refunded(_)));
        let marking = invoices::mark_paid(&app.ctx, &invoice, &Actor::Cli, "a").await.unwrap();
        assert_eq!(marking, Marking::Refunded);
    }
    app.finish().await;
}

/// It must show, refund after use: first it is said what would happen; then what is free is gone, what was used is owed
/// and nothing new starts, the invoice is refunded with one trace, and the person is told. It happens once. The next plan
/// lifts the block by itself.
#[tokio::test]
async fn refunded_after_use() {
    let app = quiet().await;
    let start = Utc::now();
    // Three free pictures, then two of the month.
    for _ in 0..3 {
        assert!(matches!(submit(&app, "ada", start).await, Submission::Accepted { .. }));
    }
    let month = buy(&app, "ada", start).await;
    for _ in 0..2 {
        assert!(matches!(submit(&app, "ada", start).await, Submission::Accepted { .. }));
    }
    let mut app = app;
    app.sandbox.gemini().sketch(true);
    app.work();
    app.idle().await;
    assert_eq!(app.spent("ada").await, 5);
    let id = app.count("SELECT id FROM invoices WHERE state = 'paid'").await;
    let invoice = invoices::by_id(&app.ctx.db, id).await.unwrap().unwrap();
    let used = allowances::by_id(&app.ctx.db, month.id).await.unwrap().unwrap().granted
        - allowances::by_id(&app.ctx.db, month.id).await.unwrap().unwrap().available;
    assert!(used > 0, "the month was used");
    let expected = Standing { free: month.granted - used, held: 0, used };
    assert_eq!(invoices::would_refund(&app.ctx.db, &invoice).await.unwrap(), Some(expected));
    assert_eq!(again(&app, &invoice).await, invoice, "only said");
    let refund = || invoices::refund(&app.ctx, &invoice, &Actor::Cli, "not as hoped");
    assert_eq!(invoices::refund(&app.ctx, &invoice, &Actor::Cli, "").await.unwrap(), Refunding::NoReason);

    let came: Vec<_> = join_all((0..6).map(|_| refund())).await.into_iter().map(Result::unwrap).collect();
    let done: Vec<_> = came.iter().filter(|it| **it != Refunding::AlreadyRefunded).collect();
    assert_eq!(done, [&Refunding::Refunded(expected)]);
    assert_eq!(again(&app, &invoice).await.state(), State::Refunded);
    assert_eq!(invoices::would_refund(&app.ctx.db, &again(&app, &invoice).await).await.unwrap(), None);
    assert_eq!(traces(&app, &invoice).await, [("refund_invoice".to_owned(), "cli:console".to_owned())]);
    let user = app.user("ada").await;
    assert!(debts::owes(&app.ctx.db, user.id).await.unwrap());
    assert!(matches!(submit(&app, "ada", Utc::now()).await, Submission::InDebt));
    assert_eq!(app.count("SELECT MIN(available) FROM allowances").await, 0, "never below zero");
    app.idle().await;
    let mail = app.sandbox.mail().to("ada@example.com").pop().unwrap();
    assert_eq!(mail.subject, "Your payment to nproxy is refunded");
    assert!(mail.text.contains("$9.99") && mail.text.contains("still to be paid"), "{}", mail.text);
    let page = app.sign_in("ada").await.get(&format!("/app/billing/invoices/{}", invoice.pid)).await.html();
    assert!(page.text().contains("Refunded"), "{}", page.text());

    // News of the old payment, however late, gives nothing.
    let weeks = Utc::now() + TimeDelta::days(20);
    assert_eq!(
        clock::at(weeks, invoices::apply(&app.ctx, invoice.id)).await.unwrap(),
        Applied::Stands(State::Refunded, false)
    );
    let next = buy(&app, "ada", Utc::now()).await;
    assert_eq!(next.available, next.granted - used, "what was owed is paid first");
    assert!(!debts::owes(&app.ctx.db, user.id).await.unwrap());
    app.finish().await;
}

/// What was never paid cannot be given back; a month that was taken back by itself before is not taken twice.
#[tokio::test]
async fn nothing_to_give_back() {
    let app = quiet().await;
    let invoice = open(&app, "ada", Utc::now()).await;
    let refunding = invoices::refund(&app.ctx, &invoice, &Actor::Cli, "a").await.unwrap();
    assert_eq!(refunding, Refunding::NotPaid(State::New));
    assert_eq!(invoices::would_refund(&app.ctx.db, &invoice).await.unwrap(), None);
    let month = buy(&app, "ada", Utc::now()).await;
    allowances::revoke_by_hand(&app.ctx, month.id, "a", &Actor::Cli).await.unwrap();
    let refunding = invoices::refund(&app.ctx, &invoice, &Actor::Cli, "a").await.unwrap();
    assert_eq!(refunding, Refunding::Refunded(Standing { free: 0, held: 0, used: 0 }));
    assert_eq!(again(&app, &invoice).await.state(), State::Refunded);
    app.finish().await;
}

/// "Check again": the processor is asked now, and its answer does what any news does; that somebody asked is written down.
#[tokio::test]
async fn checked_again() {
    let app = quiet().await;
    let invoice = open(&app, "ada", Utc::now()).await;
    let check = || invoices::check(&app.ctx, &invoice, &Actor::Cli, "she says she paid");
    assert_eq!(check().await.unwrap(), Applied::Stands(State::New, false));
    app.sandbox.btcpay().pay(invoice.processor_ref.as_deref().unwrap(), Way::Lightning, Amount::Due).unwrap();
    assert_eq!(check().await.unwrap(), Applied::Stands(State::Paid, true));
    assert_eq!(app.months().await, 1);
    app.sandbox.btcpay().troubles().fail(Spoil::Status { code: 502 });
    assert!(matches!(check().await.unwrap(), Applied::Unanswered(_)));
    let rows = activities::about(&app.ctx.db, "invoice", invoice.id).await.unwrap();
    let said: Vec<_> = rows.iter().rev().map(|row| row.detail["came_of_it"].as_str().unwrap()).collect();
    assert_eq!(said[..2], ["it stays new", "it is paid now"]);
    assert!(said[2].starts_with("the processor did not tell: "), "{said:?}");
    app.finish().await;
}

/// C3, manual: a month by an operator's hand is a whole one, behind what runs, with one trace.
#[tokio::test]
async fn a_month_is_given() {
    let app = quiet().await;
    let give = || subscriptions::give_month(&app.ctx, "Ada@Example.com", "for the bug report", &Actor::Cli);
    let first = give().await.unwrap().unwrap();
    let second = give().await.unwrap().unwrap();
    assert_eq!((first.granted, first.kind.as_str(), second.granted), (100, "quota", 100));
    assert_eq!(second.starts_at, first.expires_at.unwrap());
    let user = app.user("ada").await;
    assert!(subscriptions::of(&app.ctx.db, user.id).await.unwrap().is_some());
    let given = activities::about(&app.ctx.db, "user", user.id).await.unwrap();
    let given: Vec<_> = given.iter().filter(|row| row.activity_type == "grant_allowance").collect();
    assert_eq!((given.len(), given[0].detail["reason"].as_str()), (2, Some("for the bug report")));
    let nobody = subscriptions::give_month(&app.ctx, "nobody@example.com", "a", &Actor::Cli).await.unwrap();
    assert_eq!(nobody, None);
    app.finish().await;
}
