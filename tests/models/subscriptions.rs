//! How a plan stands by the clock, and the month that begins earlier than it was to.

use chrono::{DateTime, Months, TimeDelta, Utc};
use futures::future::join_all;
use nproxy::models::{
    activities, allowances, clock,
    invoices::{self, Opening},
    subscriptions::{self, Cycles, EarlyStart, State},
    users,
};

use super::invoices::{buy, open, quiet, spend, submit};
use crate::support::TestApp;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn stands(app: &TestApp, name: &str, now: DateTime<Utc>) -> Cycles {
    subscriptions::cycles(&app.ctx.db, app.user(name).await.id, now).await.unwrap()
}

async fn start_early(app: &TestApp, name: &str, waiting: DateTime<Utc>, now: DateTime<Utc>) -> EarlyStart {
    let user = app.user(name).await;
    clock::at(now, subscriptions::start_next_now(&app.ctx, &user, waiting)).await.unwrap()
}

/// F21, F23: a cycle is a calendar month from the second in which it begins; on the 31st it ends on the last day of a
/// month that has none.
#[test]
fn a_cycle_is_a_calendar_month() {
    for (start, end) in [
        ("2027-01-31T23:59:59Z", "2027-02-28T23:59:59Z"),
        ("2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("2027-01-29T12:00:00Z", "2027-02-28T12:00:00Z"),
        ("2028-01-30T12:00:00Z", "2028-02-29T12:00:00Z"),
        ("2027-02-28T10:30:00Z", "2027-03-28T10:30:00Z"),
        ("2027-05-31T08:00:00Z", "2027-06-30T08:00:00Z"),
        ("2027-12-31T08:00:00Z", "2028-01-31T08:00:00Z"),
        ("2027-06-15T08:00:00.123456Z", "2027-07-15T08:00:00.123456Z"),
    ] {
        assert_eq!(Cycles::default().next(at(start)), (at(start), at(end)), "{start}");
    }
}

/// F14, F21: never, active and expired follow the clock to the second, with no job running; so does the month that waits.
#[tokio::test]
async fn the_state_is_the_clocks() {
    let app = quiet().await;
    let start = at("2027-01-31T10:00:00Z");
    assert_eq!(stands(&app, "ada", start).await.state(), State::Never);
    let first = buy(&app, "ada", start).await;
    let end = first.expires_at.unwrap();
    let second = buy(&app, "ada", end - TimeDelta::days(3)).await;
    let second_end = second.expires_at.unwrap();
    assert_eq!((end, second_end), (at("2027-02-28T10:00:00Z"), at("2027-03-28T10:00:00Z")));
    let tick = TimeDelta::microseconds(1);
    for (now, state, running, waits) in [
        (start - tick, State::Never, None, true),
        (start, State::Active, Some(first.id), true),
        (end - tick, State::Active, Some(first.id), true),
        (end, State::Active, Some(second.id), false),
        (second_end - tick, State::Active, Some(second.id), false),
        (second_end, State::Expired, None, false),
    ] {
        let cycles = stands(&app, "ada", now).await;
        assert_eq!(cycles.state(), state, "{now}");
        assert_eq!(cycles.running.as_ref().map(|month| month.id), running, "{now}");
        assert_eq!(cycles.queued.is_some(), waits, "{now}");
        assert_eq!(cycles.is_renewable(), !waits, "{now}");
    }
    assert_eq!(stands(&app, "ada", second_end + TimeDelta::days(90)).await.ended_at, Some(second_end));
    app.finish().await;
}

/// One row per person says since when the plan runs without a break.
#[tokio::test]
async fn the_row_remembers_the_beginning() {
    let app = quiet().await;
    let (start, user) = (at("2027-04-10T10:00:00Z"), app.user("ada").await);
    let row = || subscriptions::of(&app.ctx.db, user.id);
    assert_eq!(row().await.unwrap(), None);
    let first = buy(&app, "ada", start).await;
    let second = buy(&app, "ada", start + TimeDelta::days(9)).await;
    let since = row().await.unwrap().unwrap();
    assert_eq!((since.plan_code.as_str(), since.activated_at), ("monthly", first.starts_at), "a renewal is no break");
    let later = second.expires_at.unwrap() + TimeDelta::days(1);
    buy(&app, "ada", later).await;
    let again = row().await.unwrap().unwrap();
    assert_eq!((again.id, again.activated_at), (since.id, later), "after a break it begins anew, in the same row");
    app.finish().await;
}

/// F23: "Start my next month now": what is left of the running month is given up, the next one begins at this second, in
/// full, and ends a calendar month from now. It is written down once, and the books are right.
#[tokio::test]
async fn the_next_month_begins_now() {
    let app = quiet().await;
    let start = at("2027-01-10T10:00:00Z");
    let first = buy(&app, "dee", start).await;
    spend(&app, &first, 40).await;
    let second = buy(&app, "dee", start + TimeDelta::days(2)).await;
    let now = at("2027-01-31T09:00:00Z");
    assert!(
        matches!(start_early(&app, "dee", second.starts_at, now).await, EarlyStart::Started(it) if it.id == second.id)
    );

    let user = app.user("dee").await.id;
    let old = allowances::by_id(&app.ctx.db, first.id).await.unwrap().unwrap();
    assert_eq!((old.available, old.expires_at, old.expired_at), (0, Some(now), Some(now)));
    let new = allowances::by_id(&app.ctx.db, second.id).await.unwrap().unwrap();
    assert_eq!((new.starts_at, new.expires_at.unwrap()), (now, at("2027-02-28T09:00:00Z")));
    assert_eq!((new.available, new.granted), (first.granted, first.granted), "in full");
    let counts = clock::at(now, allowances::current(&app.ctx.db, user)).await.unwrap();
    assert_eq!(counts.iter().map(|it| it.id).collect::<Vec<_>>(), [second.id]);
    assert!(app.story("dee").await.contains(&format!("expire -{}", first.granted - 40)));
    let activities = activities::about(&app.ctx.db, "allowance", second.id).await.unwrap();
    let told: Vec<_> = activities.iter().filter(|it| it.activity_type == "start_month_early").collect();
    assert_eq!((told.len(), told[0].actor_type.as_str()), (1, "user"));
    assert_eq!(told[0].detail["given_up"][0]["left"], first.granted - 40);

    // Another one may be paid for, and follows the new end.
    let third = buy(&app, "dee", now + TimeDelta::days(1)).await;
    assert_eq!(third.starts_at, new.expires_at.unwrap());
    app.finish().await;
}

/// F23: twenty presses at once are one; a press for a month that has begun, or that never was, changes nothing.
#[tokio::test]
async fn it_happens_once() {
    let app = quiet().await;
    let start = Utc::now() - TimeDelta::days(3);
    let first = buy(&app, "ada", start).await;
    let second = buy(&app, "ada", start + TimeDelta::days(1)).await;
    let now = start + TimeDelta::days(2);
    assert_eq!(start_early(&app, "ada", now, now).await, EarlyStart::NothingWaits, "no month waits for that day");
    assert_eq!(start_early(&app, "eve", second.starts_at, now).await, EarlyStart::NothingWaits, "nor for others");
    let presses = join_all((0..20).map(|_| start_early(&app, "ada", second.starts_at, now))).await;
    let started = presses.iter().filter(|press| matches!(press, EarlyStart::Started(_))).count();
    assert_eq!((started, presses.len()), (1, 20));
    assert!(presses.iter().all(|press| matches!(press, EarlyStart::Started(_) | EarlyStart::NothingWaits)));
    assert_eq!(app.count("SELECT COUNT(*) FROM activities WHERE activity_type = 'start_month_early'").await, 1);
    assert_eq!(allowances::by_id(&app.ctx.db, first.id).await.unwrap().unwrap().available, 0);

    let user = app.user("ada").await;
    let third = buy(&app, "ada", now + TimeDelta::days(1)).await;
    users::block(&app.ctx, "ada@example.com", "for the test", &activities::Actor::Cli).await.unwrap();
    let barred = clock::at(now + TimeDelta::days(2), subscriptions::start_next_now(&app.ctx, &user, third.starts_at));
    assert_eq!(barred.await.unwrap(), EarlyStart::Barred);
    app.finish().await;
}

/// F23: what is under way on the running month stays paid by it, and what it gives back is gone with that month; a month
/// that was paid for late and waits behind the next one follows it.
#[tokio::test]
async fn runs_under_way_stay_where_they_began() {
    let app = quiet().await;
    let start = Utc::now() - TimeDelta::days(9);
    let first = buy(&app, "ada", start).await;
    let unpaid = open(&app, "ada", start + TimeDelta::hours(1)).await;
    app.set_time("invoices", "expires_at", start + TimeDelta::hours(2), "state = 'new'").await;
    clock::at(start + TimeDelta::days(1), invoices::poll(&app.ctx)).await.unwrap();
    let second = buy(&app, "ada", start + TimeDelta::days(2)).await;
    app.sandbox
        .btcpay()
        .pay(unpaid.processor_ref.as_deref().unwrap(), sandbox::btcpay::Way::Lightning, sandbox::Amount::Due)
        .unwrap();
    clock::at(start + TimeDelta::days(3), invoices::apply(&app.ctx, unpaid.id)).await.unwrap();
    let third = unpaid.bought(&app.ctx.db).await.unwrap().unwrap();
    assert_eq!(third.starts_at, second.expires_at.unwrap());

    submit(&app, "ada", start + TimeDelta::days(4)).await;
    assert_eq!(app.open_holds().await, 1);
    let now = start + TimeDelta::days(5);
    assert!(matches!(start_early(&app, "ada", second.starts_at, now).await, EarlyStart::Started(_)));
    let old = allowances::by_id(&app.ctx.db, first.id).await.unwrap().unwrap();
    assert_eq!((old.available, old.posted), (0, 1), "the run keeps what it set aside");
    let person = app.sign_in("ada").await;
    let run = app.text("SELECT CAST(state AS TEXT) FROM runs").await;
    assert_eq!(run, "queued");
    let conversation = person.get("/app/history").await.html().attribute("main a[href^='/app/conversations/']", "href");
    let cancel = person.get(&conversation).await.html().attribute("form[action$='/cancellation']", "action");
    person.post(&cancel, &[]).await;
    let old = allowances::by_id(&app.ctx.db, first.id).await.unwrap().unwrap();
    assert_eq!((old.available, old.posted), (0, 0), "what came back is over");

    let moved = allowances::by_id(&app.ctx.db, second.id).await.unwrap().unwrap();
    let behind = allowances::by_id(&app.ctx.db, third.id).await.unwrap().unwrap();
    assert_eq!(behind.starts_at, moved.expires_at.unwrap(), "no day is lost between them");
    assert_eq!(behind.expires_at.unwrap(), behind.starts_at + Months::new(1));
    let user = app.user("ada").await;
    let refused = clock::at(now, invoices::open(&app.ctx, &user, "btcpay")).await.unwrap();
    assert!(matches!(refused, Opening::AlreadyQueued), "one waits still");
    app.finish().await;
}
