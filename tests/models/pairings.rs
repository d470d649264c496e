//! Pairing codes under attack: many at once for one code, and guesses.

use futures::future::join_all;
use nproxy::models::{
    activities::{self, Actor},
    alerts, telegram_admins,
    telegram_pairings::{self, Asked, Code, Look, Redeemed, Wrong},
    telegram_updates::{Event, Sender, Update},
};

use crate::support::{Setup, TestApp};

async fn quiet() -> TestApp {
    TestApp::with(Setup { keys: vec![], jobs: false, people: false, ..Setup::default() }).await
}

fn said(id: i64, from: i64) -> (Update, Sender) {
    let sender = Sender { id: from, name: format!("Person {from}"), username: None };
    (Update { id, event: Event::Said { from: sender.clone(), text: "hello".into() } }, sender)
}

/// The code that the chat of `from` has after the update `id`.
async fn ask(app: &TestApp, id: i64, from: i64) -> String {
    let (update, sender) = said(id, from);
    match telegram_pairings::ask(&app.ctx, &update, &sender).await.unwrap() {
        Asked::Code(code) => code.spelled(),
        other => panic!("{other:?}"),
    }
}

/// F57: of a hundred redemptions of one code at the same time one pairs; it leaves one admin, one trace and one message.
#[tokio::test]
async fn of_a_hundred_redemptions_one_pairs() {
    let app = quiet().await;
    let code = ask(&app, 1, 42).await;
    let redemptions = (0..100).map(|_| {
        let (ctx, code) = (app.ctx.clone(), code.clone());
        async move { telegram_pairings::redeem(&ctx, &Code::typed(&code), &Actor::Cli).await.unwrap() }
    });
    let outcomes = join_all(redemptions).await;
    let won = outcomes.iter().filter(|it| matches!(it, Redeemed::Paired(_))).count();
    assert_eq!(won, 1, "{outcomes:?}");
    assert!(
        outcomes.iter().all(|it| matches!(it, Redeemed::Paired(_) | Redeemed::Wrong(Wrong::Used | Wrong::TooMany(_))))
    );
    let admins = telegram_admins::list(&app.ctx.db).await.unwrap();
    assert_eq!(admins.len(), 1);
    let trace = activities::about(&app.ctx.db, "telegram_admin", admins[0].id).await.unwrap();
    assert_eq!(trace.len(), 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM notifications WHERE kind = 'paired'").await, 1);
    app.finish().await;
}

/// F57: a code works for ten minutes, no more and no less: a second before its end it is open, a second after it is over,
/// for who looks and for who redeems.
#[cfg(debug_assertions)]
#[tokio::test]
async fn a_code_works_for_ten_minutes() {
    use chrono::{DateTime, TimeDelta, Utc};
    use nproxy::models::clock;

    let app = quiet().await;
    let asked: DateTime<Utc> = "2027-03-10T08:00:00Z".parse().unwrap();
    let (first, second) = (clock::at(asked, ask(&app, 1, 42)).await, clock::at(asked, ask(&app, 2, 43)).await);
    let end = asked + TimeDelta::minutes(10);
    let (before, after) = (end - TimeDelta::seconds(1), end + TimeDelta::seconds(1));
    let look =
        async |code: &str, at| clock::at(at, telegram_pairings::look(&app.ctx, &Code::typed(code))).await.unwrap();
    let redeem = async |code: &str, at| {
        clock::at(at, telegram_pairings::redeem(&app.ctx, &Code::typed(code), &Actor::Cli)).await.unwrap()
    };

    for code in [&first, &second] {
        let open = look(code, before).await;
        assert!(matches!(open, Look::Open(_)), "{open:?}");
    }
    let redeemed = redeem(&first, before).await;
    assert!(matches!(redeemed, Redeemed::Paired(_)), "{redeemed:?}");

    let late = look(&second, after).await;
    assert!(matches!(late, Look::Wrong(Wrong::Expired)), "{late:?}");
    let late = redeem(&second, after).await;
    assert!(matches!(late, Redeemed::Wrong(Wrong::Expired)), "{late:?}");
    assert_eq!(telegram_admins::list(&app.ctx.db).await.unwrap().len(), 1);
    app.finish().await;
}

/// Of ten thousand guesses none succeeds and next to none is looked at; who is paired hears of it, once. The code that was
/// open all the time works as soon as it is quiet.
#[tokio::test]
async fn ten_thousand_guesses_find_nothing() {
    let app = quiet().await;
    let paired = ask(&app, 1, 42).await;
    telegram_pairings::redeem(&app.ctx, &Code::typed(&paired), &Actor::Cli).await.unwrap();
    let open = ask(&app, 2, 43).await;
    let mut looked_at = 0;
    for number in 0..10_000_u32 {
        // 32 to the thirteenth codes, of which these are some.
        let letter =
            |place: u32| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(number >> (5 * place)) as usize % 32]);
        let guess: String = "GUESS-GUESS-".chars().chain((0..3).map(letter)).collect();
        assert_ne!(guess, open);
        let wrong = match number % 2 {
            0 => match telegram_pairings::look(&app.ctx, &Code::typed(&guess)).await.unwrap() {
                Look::Wrong(wrong) => wrong,
                Look::Open(pairing) => panic!("{pairing:?}"),
            },
            _ => match telegram_pairings::redeem(&app.ctx, &Code::typed(&guess), &Actor::Cli).await.unwrap() {
                Redeemed::Wrong(wrong) => wrong,
                Redeemed::Paired(admin) => panic!("{admin:?}"),
            },
        };
        match wrong {
            Wrong::Unknown => looked_at += 1,
            Wrong::TooMany(refused) => assert!(refused.retry_after.as_secs() <= 40),
            other @ (Wrong::Expired | Wrong::Used) => panic!("{other:?}"),
        }
    }
    // Ten at once and one every forty seconds, however long this has taken.
    assert!((10..=25).contains(&looked_at), "{looked_at}");
    assert_eq!(telegram_admins::list(&app.ctx.db).await.unwrap().len(), 1);
    let alarms = alerts::open(&app.ctx.db, Some(alerts::Kind::PairingGuesses)).await.unwrap();
    assert_eq!(alarms.len(), 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM notifications WHERE kind = 'alert' AND recipient = '42'").await, 1);

    app.sql("DELETE FROM throttles").await;
    let fresh = ask(&app, 3, 43).await;
    assert_ne!(fresh, open, "rotated");
    let redeemed = telegram_pairings::redeem(&app.ctx, &Code::typed(&fresh), &Actor::Cli).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Paired(_)), "{redeemed:?}");
    app.finish().await;
}

/// The same update gives no second code; somebody who floods the bot gets no answer, and one row however much they write.
#[tokio::test]
async fn a_flood_is_met_with_silence() {
    let app = quiet().await;
    ask(&app, 1, 42).await;
    let (update, sender) = said(1, 42);
    assert!(matches!(telegram_pairings::ask(&app.ctx, &update, &sender).await.unwrap(), Asked::Repeated));
    let mut answers = 0;
    for id in 2..=200 {
        let (update, sender) = said(id, 42);
        match telegram_pairings::ask(&app.ctx, &update, &sender).await.unwrap() {
            Asked::Code(_) => answers += 1,
            Asked::Quiet => {}
            Asked::Repeated => panic!("update {id}"),
        }
    }
    assert!((20..=60).contains(&answers), "{answers}");
    assert_eq!(app.count("SELECT COUNT(*) FROM telegram_pairings").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM telegram_updates").await, 200, "done with all the same");
    ask(&app, 201, 43).await;
    app.finish().await;
}
