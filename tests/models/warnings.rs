//! The end of a plan is spoken of: when, how often, and not any more.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use loco_rs::bgworker::BackgroundWorker;
use nproxy::{
    models::{
        activities::Actor,
        allowances, clock,
        invoices::{self, links},
        notifications, subscriptions, users,
    },
    workers::deliver_notice::{DeliverNotice, Telling},
};
use sandbox::{Amount, Mail, SmtpFault, btcpay::Way};

use super::invoices::{buy, open, quiet, spend};
use crate::support::TestApp;

const ADA: &str = "ada@example.com";

/// Long after the plans of the standing cast.
fn start() -> DateTime<Utc> {
    "2027-03-10T08:00:00Z".parse().unwrap()
}

fn days(n: i64) -> TimeDelta {
    TimeDelta::days(n)
}

/// The task at this moment, as the timetable runs it.
async fn warn(app: &TestApp, now: DateTime<Utc>) {
    clock::at(now, app.task("subscription_expiry_warnings", &[])).await.unwrap();
}

/// Every mail that is due is sent at this moment; what went wrong is the job's, which comes again.
pub(super) async fn send(app: &TestApp, now: DateTime<Utc>) {
    let worker = DeliverNotice::build(&app.ctx);
    for notification in app.unsent().await {
        clock::at(now, worker.perform(Telling { notification })).await.ok();
    }
}

/// What this person was told, subject by subject, but for receipts.
fn told(app: &TestApp) -> Vec<String> {
    let mails = app.sandbox.mail().to(ADA).into_iter();
    mails.map(|mail| mail.subject).filter(|subject| !subject.ends_with("is paid")).collect()
}

fn newest(app: &TestApp) -> Mail {
    app.sandbox.mail().to(ADA).pop().unwrap()
}

/// F22: with the task run twice at each moment there is one mail at seven days, at three, at one, and one at the end;
/// before, between and after there is none. Each says when and how to go on, in text and in HTML, and no number of
/// pictures.
#[tokio::test]
async fn each_stage_is_told_once() {
    let app = quiet().await;
    let end = buy(&app, "ada", start()).await.expires_at.unwrap();
    let moments = [
        (end - days(7) - TimeDelta::seconds(1), None),
        (end - days(7), Some("Your nproxy plan ends in 7 days")),
        (end - days(4), None),
        (end - days(3), Some("Your nproxy plan ends in 3 days")),
        (end - days(2), None),
        (end - days(1), Some("Your nproxy plan ends within a day")),
        (end - TimeDelta::seconds(1), None),
        (end, Some("Your nproxy plan has ended")),
        (end + days(2), None),
        (end + days(20), None),
    ];
    let mut expected = Vec::new();
    for (now, subject) in moments {
        for _ in 0..2 {
            warn(&app, now).await;
            send(&app, now).await;
        }
        expected.extend(subject.map(str::to_owned));
        assert_eq!(told(&app), expected, "{now}");
        if subject.is_some() {
            let mail = newest(&app);
            for part in [&mail.text, &mail.html] {
                assert!(part.contains("10 April 2027, 08:00 UTC"), "{part}");
                assert!(part.contains(&format!("{}/app/billing", app.url)), "{part}");
                assert!(!part.contains("100"), "no number of pictures: {part}");
            }
        }
    }
    app.finish().await;
}

/// F22: a task that runs days late tells what is true then, and not what it missed; run by eight processes at once it
/// tells it once.
#[tokio::test]
async fn a_late_run_tells_one_thing() {
    let app = quiet().await;
    let end = buy(&app, "ada", start()).await.expires_at.unwrap();
    let late = end - TimeDelta::hours(30);
    join_all((0..8).map(|_| warn(&app, late))).await;
    send(&app, late).await;
    assert_eq!(told(&app), ["Your nproxy plan ends in 2 days"], "the words are those of the moment");
    let later = end + days(3);
    join_all((0..8).map(|_| warn(&app, later))).await;
    send(&app, later).await;
    assert_eq!(told(&app).len(), 2);
    assert_eq!(told(&app)[1], "Your nproxy plan has ended");

    // Long after the end it is no news any more.
    let fay = crate::support::bulk::person(&app.ctx.db, "fay").await;
    let month = buy(&app, "fay", later).await;
    warn(&app, month.expires_at.unwrap() + days(15)).await;
    send(&app, later).await;
    assert_eq!(notifications::to_person(&app.ctx.db, fay.id).await.unwrap().len(), 1, "the receipt alone");
    app.finish().await;
}

/// F22: nothing is said once another month is paid for, whether that happens before the task or between the task and the
/// mail; of the new month's end one hears again.
#[tokio::test]
async fn none_after_a_renewal() {
    let app = quiet().await;
    let end = buy(&app, "ada", start()).await.expires_at.unwrap();
    warn(&app, end - days(3)).await;
    let second = buy(&app, "ada", end - days(3)).await;
    send(&app, end - days(3)).await;
    for now in [end - days(3), end - days(1), end, end + days(1)] {
        warn(&app, now).await;
        send(&app, now).await;
    }
    assert_eq!(told(&app), Vec::<String>::new());
    let unsaid = app.text("SELECT error FROM notifications WHERE kind = 'renewal_due'").await;
    assert_eq!(unsaid, "there is nothing to say any more");

    let end = second.expires_at.unwrap();
    warn(&app, end - days(3)).await;
    send(&app, end - days(3)).await;
    assert_eq!(told(&app), ["Your nproxy plan ends in 3 days"]);
    app.finish().await;
}

/// F22: who is paying just now is not reminded; who is blocked, or whose month was taken back, hears nothing of its end.
#[tokio::test]
async fn nobody_is_told_in_vain() {
    let app = quiet().await;
    let first = buy(&app, "ada", start()).await;
    let end = first.expires_at.unwrap();
    let now = end - days(2);
    open(&app, "ada", now).await;
    app.sql("UPDATE invoices SET state = 'pending' WHERE state = 'new'").await;
    warn(&app, now).await;
    send(&app, now).await;
    assert_eq!(told(&app), Vec::<String>::new(), "money is on its way");
    app.sql("UPDATE invoices SET state = 'canceled' WHERE state = 'pending'").await;
    users::block(&app.ctx, ADA, "for the test", &Actor::Cli).await.unwrap();
    warn(&app, now).await;
    users::unblock(&app.ctx, ADA, "for the test", &Actor::Cli).await.unwrap();
    let paid = invoices::by_id(&app.ctx.db, app.count("SELECT MIN(id) FROM invoices").await).await.unwrap().unwrap();
    clock::at(now, invoices::refund(&app.ctx, &paid, &Actor::Cli, "asked for it")).await.unwrap();
    for now in [now, end, end + days(1)] {
        warn(&app, now).await;
        send(&app, now).await;
        assert_eq!(clock::at(now, subscriptions::warn_due(&app.ctx)).await.unwrap(), 0);
    }
    assert_eq!(told(&app), ["Your payment to nproxy is refunded"]);
    app.finish().await;
}

/// F15: with 73 pictures left of 97 neither number is in any mail about payments and the plan.
#[tokio::test]
async fn no_mail_tells_a_number() {
    let app = quiet().await;
    app.task("grant", &[("email", ADA), ("kind", "quota"), ("amount", "97")]).await.unwrap();
    let user = app.user("ada").await;
    let month = allowances::all_of(&app.ctx.db, user.id).await.unwrap().pop().unwrap();
    spend(&app, &month, 24).await;
    let end = month.expires_at.unwrap();
    for before in [days(7), days(3), days(1), days(0)] {
        warn(&app, end - before).await;
        send(&app, end - before).await;
    }
    let part = open(&app, "ada", end).await;
    app.sandbox.btcpay().pay(part.processor_ref.as_deref().unwrap(), Way::Lightning, Amount::Less).unwrap();
    clock::at(end, invoices::apply(&app.ctx, part.id)).await.unwrap();
    send(&app, end).await;
    app.sandbox.btcpay().pay(part.processor_ref.as_deref().unwrap(), Way::Lightning, Amount::Due).unwrap();
    clock::at(end, invoices::apply(&app.ctx, part.id)).await.unwrap();
    send(&app, end).await;
    let paid = invoices::by_id(&app.ctx.db, part.id).await.unwrap().unwrap();
    clock::at(end, invoices::refund(&app.ctx, &paid, &Actor::Cli, "asked for it")).await.unwrap();
    send(&app, end).await;
    let mails = app.sandbox.mail().to(ADA);
    let subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "Your nproxy plan ends in 7 days",
            "Your nproxy plan ends in 3 days",
            "Your nproxy plan ends within a day",
            "Your nproxy plan has ended",
            "A part of your payment arrived",
            "Your month of nproxy is paid",
            "Your payment to nproxy is refunded",
        ]
    );
    for mail in &mails {
        let all = format!("{} {} {}", mail.subject, mail.text, mail.html);
        let told = all.split(|c: char| !c.is_alphanumeric()).find(|word| ["73", "97"].contains(word));
        assert_eq!(told, None, "{all}");
    }
    let link = links::link(&app.ctx, &part).unwrap();
    assert!(mails[4].links().contains(&link) && mails[4].text.contains("$4.99 of $9.99"), "{}", mails[4].text);
    app.finish().await;
}

/// F17: what is missing is told once per invoice, also when the time was over before anything was seen; once all of it is
/// there nothing is said of it any more.
#[tokio::test]
async fn what_is_missing_is_told_once() {
    let app = quiet().await;
    let now = Utc::now();
    let server = app.sandbox.btcpay();
    let invoice = open(&app, "ada", now).await;
    let reference = invoice.processor_ref.clone().unwrap();
    server.pay(&reference, Way::Lightning, Amount::Less).unwrap();
    server.expire(&reference);
    for _ in 0..3 {
        invoices::apply(&app.ctx, invoice.id).await.unwrap();
    }
    app.set_time("invoices", "expires_at", now, "id > 0").await;
    send(&app, now).await;
    send(&app, now).await;
    assert_eq!(told(&app), ["A part of your payment arrived"]);
    assert!(newest(&app).text.contains("The time to pay is over"), "{}", newest(&app).text);

    let hers = open(&app, "eve", now).await;
    let reference = hers.processor_ref.clone().unwrap();
    server.pay(&reference, Way::Lightning, Amount::Less).unwrap();
    invoices::apply(&app.ctx, hers.id).await.unwrap();
    server.pay(&reference, Way::Lightning, Amount::Due).unwrap();
    invoices::apply(&app.ctx, hers.id).await.unwrap();
    send(&app, now).await;
    let subjects: Vec<_> = app.sandbox.mail().to("eve@example.com").into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Your month of nproxy is paid"]);
    app.finish().await;
}

/// F22, X26: while the mail server refuses, the job keeps trying and the notice says what is wrong; one mail comes in the
/// end, and none when the job is run again after that.
#[tokio::test]
async fn a_refused_mail_comes_later_once() {
    let app = quiet().await;
    let end = buy(&app, "ada", start()).await.expires_at.unwrap();
    send(&app, start()).await;
    let now = end - days(1);
    warn(&app, now).await;
    let notice = app.unsent().await[0];
    app.sandbox.mail().fail(Some(SmtpFault::Refuse421));
    let worker = DeliverNotice::build(&app.ctx);
    let telling = || clock::at(now, worker.perform(Telling { notification: notice }));
    assert!(telling().await.is_err() && telling().await.is_err());
    let failed = notifications::by_id(&app.ctx.db, notice).await.unwrap().unwrap();
    assert_eq!((failed.sent_at, failed.error.as_deref()), (None, Some("the mail server did not take it")));
    app.sandbox.mail().fail(None);
    for _ in 0..3 {
        telling().await.unwrap();
    }
    assert_eq!(told(&app), ["Your nproxy plan ends within a day"]);
    app.finish().await;
}
