//! How invoices move, and when the months begin that they buy.

use chrono::{DateTime, Months, TimeDelta, Utc};
use nproxy::{
    adapters::payments::{Price, Status, Truth},
    models::{
        activities::Actor,
        allowances, clock,
        generations::{self, Ask, Submission},
        invoices::{self, Applied, Opening, State},
    },
};
use sandbox::{Amount, Webhooks, btcpay::Way};

use crate::support::{Setup, TestApp};

const STATUSES: [Status; 8] = [
    Status::New,
    Status::Pending,
    Status::Confirming,
    Status::Underpaid,
    Status::Expired,
    Status::Paid,
    Status::Refunded,
    Status::Invalid,
];

pub(super) async fn quiet() -> TestApp {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sandbox.btcpay().courier().webhooks(Webhooks::Off);
    app
}

fn told(status: Status) -> Truth {
    let paid_minor = match status {
        Status::Paid => 999,
        Status::Underpaid | Status::Confirming => 500,
        Status::New | Status::Pending | Status::Expired | Status::Refunded | Status::Invalid => 0,
    };
    Truth {
        reference: "r".into(),
        order_id: None,
        shop_matches: true,
        price: Some(Price::new(999, "USD")),
        paid_minor,
        seen_minor: paid_minor,
        redeposited_minor: 0,
        status,
        late: false,
        overpaid: false,
        marked: false,
        payments: Vec::new(),
        unlisted: None,
    }
}

pub(super) async fn open(app: &TestApp, name: &str, at: DateTime<Utc>) -> invoices::Model {
    let user = app.user(name).await;
    match clock::at(at, invoices::open(&app.ctx, &user, "btcpay")).await.unwrap() {
        Opening::Open(invoice) => invoice,
        refused => panic!("{refused:?}"),
    }
}

/// Pays for a month at this moment.
pub(super) async fn buy(app: &TestApp, name: &str, at: DateTime<Utc>) -> allowances::Model {
    let invoice = open(app, name, at).await;
    app.sandbox.btcpay().pay(invoice.processor_ref.as_deref().unwrap(), Way::Lightning, Amount::Due).unwrap();
    let applied = clock::at(at, invoices::apply(&app.ctx, invoice.id)).await.unwrap();
    assert_eq!(applied, Applied::Stands(State::Paid, true));
    invoice.bought(&app.ctx.db).await.unwrap().unwrap()
}

pub(super) async fn submit(app: &TestApp, name: &str, at: DateTime<Utc>) -> Submission {
    let ask = Ask {
        prompt: "a boat".into(),
        batch_size: "1".into(),
        client_token: uuid::Uuid::new_v4().to_string(),
        ..Ask::default()
    };
    clock::at(at, generations::submit(&app.ctx, &app.user(name).await, None, ask)).await.unwrap()
}

pub(super) async fn spend(app: &TestApp, month: &allowances::Model, amount: i64) {
    allowances::adjust_by_hand(&app.ctx, month.id, -amount, "used", &Actor::Cli).await.unwrap();
}

/// F18: every state meets everything that a processor can tell; it moves forward by rank or stays.
#[tokio::test]
async fn every_state_meets_every_status() {
    let app = quiet().await;
    let mut invoice = open(&app, "ada", Utc::now()).await;
    for (state, expected) in [
        ("new", "new pending confirming underpaid expired paid canceled canceled"),
        ("pending", "pending pending confirming underpaid expired paid canceled canceled"),
        ("confirming", "confirming confirming confirming underpaid expired paid canceled canceled"),
        ("underpaid", "underpaid underpaid underpaid underpaid expired paid canceled canceled"),
        ("expired", "expired expired expired expired expired paid canceled canceled"),
        ("canceled", "canceled canceled canceled canceled canceled paid canceled canceled"),
        ("paid", "paid paid paid paid paid paid paid paid"),
        ("refunded", "refunded refunded refunded refunded refunded refunded refunded refunded"),
    ] {
        invoice.state = state.into();
        let after = STATUSES.map(|status| sea_orm::ActiveEnum::to_value(&invoice.after(&told(status))));
        assert_eq!(after.join(" "), expected, "{state}");
    }
    invoice.state = "new".into();
    for (minor, status, marked, after) in [
        (990, Status::Underpaid, false, State::Paid),
        (989, Status::Underpaid, false, State::Underpaid),
        (990, Status::Paid, false, State::Paid),
        (989, Status::Paid, false, State::Underpaid),
        (0, Status::Paid, true, State::Paid),
        (990, Status::Confirming, false, State::Confirming),
    ] {
        let truth = Truth { paid_minor: minor, marked, ..told(status) };
        assert_eq!(invoice.after(&truth), after, "{minor} {status:?} marked: {marked}");
    }
    app.finish().await;
}

/// F18: whatever the order in which up to six pieces of news arrive, the end is the same.
#[tokio::test]
async fn the_order_of_news_does_not_matter() {
    let app = quiet().await;
    let mut invoice = open(&app, "ada", Utc::now()).await;
    for chosen in 1_u32..1 << STATUSES.len() {
        let news: Vec<_> = (0..STATUSES.len()).filter(|at| chosen & (1 << at) != 0).map(|at| STATUSES[at]).collect();
        if news.len() > 6 {
            continue;
        }
        let mut ends = Vec::new();
        permute(&mut news.clone(), 0, &mut |order| {
            invoice.state = "new".into();
            for status in order {
                invoice.state = sea_orm::ActiveEnum::to_value(&invoice.after(&told(*status)));
            }
            ends.push(invoice.state.clone());
        });
        ends.dedup();
        assert_eq!(ends.len(), 1, "{news:?}: {ends:?}");
        assert_eq!(ends[0] == "paid", news.contains(&Status::Paid));
    }
    app.finish().await;
}

fn permute(items: &mut Vec<Status>, from: usize, see: &mut impl FnMut(&[Status])) {
    if from == items.len() {
        return see(items);
    }
    for at in from..items.len() {
        items.swap(from, at);
        permute(items, from + 1, see);
        items.swap(from, at);
    }
}

/// F21: with no scheduler running, a second before the end a wish is accepted and at the end it is refused.
#[tokio::test]
async fn a_month_ends_by_the_clock() {
    let app = quiet().await;
    let start = "2027-01-31T10:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let month = buy(&app, "dee", start).await;
    let end = month.expires_at.unwrap();
    assert_eq!((month.starts_at, end), (start, "2027-02-28T10:00:00Z".parse().unwrap()), "a calendar month");
    assert!(matches!(submit(&app, "dee", end - TimeDelta::seconds(1)).await, Submission::Accepted { .. }));
    assert!(matches!(submit(&app, "dee", end).await, Submission::Short));
    let dee = app.sign_in("dee").await;
    app.set_time("allowances", "expires_at", Utc::now(), "source LIKE 'invoice:%'").await;
    app.set_time("allowances", "starts_at", Utc::now() - TimeDelta::days(31), "source LIKE 'invoice:%'").await;
    let refused = dee.try_ask("a boat", &[], None).await;
    assert_eq!(refused.status, 402);
    assert!(refused.html().attributes("a", "href").contains(&"/app/billing".to_owned()), "with the way to renew");
    app.abandon().await;
}

/// F23: renewed early, what is left stays until the old end and a full month follows; one month at most waits.
#[tokio::test]
async fn an_early_renewal_waits_for_the_end() {
    let app = quiet().await;
    let start = Utc::now();
    let first = buy(&app, "dee", start).await;
    spend(&app, &first, 40).await;
    let end = first.expires_at.unwrap();
    let second = buy(&app, "dee", end - TimeDelta::days(5)).await;
    assert_eq!((second.starts_at, second.expires_at.unwrap()), (end, end + Months::new(1)));
    assert_eq!((second.granted, second.available), (first.granted, first.granted), "in full");
    let left = |at| clock::at(at, allowances::current(&app.ctx.db, second.user_id));
    assert_eq!(
        left(end - TimeDelta::seconds(1)).await.unwrap().iter().map(|it| it.available).collect::<Vec<_>>(),
        [60]
    );
    assert_eq!(left(end).await.unwrap().iter().map(|it| it.id).collect::<Vec<_>>(), [second.id]);

    let user = app.user("dee").await;
    let third = clock::at(end - TimeDelta::days(4), invoices::open(&app.ctx, &user, "btcpay")).await.unwrap();
    assert!(matches!(third, Opening::AlreadyQueued), "{third:?}");
    let dee = app.sign_in("dee").await;
    assert!(!dee.get("/app/billing").await.html().has("#pay form"));
    assert_eq!(dee.post("/app/billing/invoices", &[("processor", "btcpay")]).await.status, 409);
    assert!(dee.get("/app").await.html().text().contains("Your next month is paid. It begins on "));
    app.finish().await;
}

/// F23: when all is used a renewal begins at once; without a payment nothing is ever extended; money that comes while a
/// month waits already is not lost.
#[tokio::test]
async fn a_renewal_of_a_used_up_month_begins_at_once() {
    let app = quiet().await;
    let start = Utc::now();
    let first = buy(&app, "dee", start).await;
    spend(&app, &first, first.granted).await;
    let later = start + TimeDelta::days(9);
    let second = buy(&app, "dee", later).await;
    // PostgreSQL keeps microseconds.
    assert!((second.starts_at - later).abs() < TimeDelta::milliseconds(1));
    assert_eq!(second.expires_at.unwrap(), second.starts_at + Months::new(1));

    let unpaid = open(&app, "dee", later + TimeDelta::days(1)).await;
    clock::at(later + TimeDelta::days(3), invoices::poll(&app.ctx)).await.unwrap();
    assert_eq!(unpaid.bought(&app.ctx.db).await.unwrap(), None);
    let third = buy(&app, "dee", later + TimeDelta::days(4)).await;
    assert_eq!(third.starts_at, second.expires_at.unwrap());
    app.sandbox.btcpay().pay(unpaid.processor_ref.as_deref().unwrap(), Way::Lightning, Amount::Due).unwrap();
    clock::at(later + TimeDelta::days(5), invoices::apply(&app.ctx, unpaid.id)).await.unwrap();
    let fourth = unpaid.bought(&app.ctx.db).await.unwrap().unwrap();
    assert_eq!(fourth.starts_at, third.expires_at.unwrap(), "behind the one that waits");
    app.finish().await;
}
