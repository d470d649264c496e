//! How often somebody may try.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use nproxy::models::users::seeds;
use reqwest::Method;
use serde_json::Value;

use super::accounts::{NORA, PASSWORD, forgot, link, log_in, post_token};
use crate::support::{Answer, Person, Setup, TestApp};

const WRONG: &str = "not the password";

/// Nobody delivers anything: what is tried here is the front door.
async fn door() -> TestApp {
    TestApp::with(Setup { behind_proxy: true, jobs: false, ..Setup::default() }).await
}

async fn try_password(person: &Person, email: &str, password: &str) -> Answer {
    person.post("/login", &[("email", email), ("password", password)]).await
}

/// How many of these were looked at; the others were told to wait.
fn looked_at(answers: &[Answer]) -> usize {
    let waits = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(answers.iter().all(|answer| [422, 429].contains(&answer.status)));
    answers.len() - waits
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// As if so much time had gone by.
async fn later(app: &TestApp, seconds: u64) {
    app.sql(&format!("UPDATE throttles SET busy_until = busy_until - {}", seconds * 1_000_000)).await;
}

/// F13: whoever guesses is told to wait, in words and for programs; whether the account exists makes no difference.
#[tokio::test]
async fn twenty_wrong_passwords_are_too_many() {
    let app = door().await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let guesser = app.visitor().at("203.0.113.9");
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(try_password(&guesser, email, WRONG).await.status);
        }
        assert_eq!(statuses[..8], [422; 8], "{email}");
        assert_eq!(statuses[8..], [429; 12], "{email}");

        let answer = try_password(&guesser, email, seeds::PASSWORD).await;
        let page = answer.html();
        assert_eq!(answer.status, 429, "the right password is not looked at either");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=720).contains(&wait), "{wait}");
        assert_eq!(page.texts("h1"), ["Not so fast"]);
        let said = page.texts("main p").join(" ");
        assert!(said.contains("Wait 12 minutes and try again."), "{said}");
        assert!(said.contains("a link to your mail lets you in at once"), "{said}");
        assert_eq!(page.attribute("main a.btn", "href"), "/password/forgot");

        let program = guesser.request(Method::POST, "/login").form(&[("email", email), ("password", WRONG)]);
        let (client, mut program) = program.build_split();
        program.as_mut().unwrap().headers_mut().insert("accept", "application/json".parse().unwrap());
        let response = client.execute(program.unwrap()).await.unwrap();
        assert_eq!(response.status(), 429);
        assert!(response.headers().contains_key("retry-after"));
        let said: Value = response.json().await.unwrap();
        assert_eq!(said["error"]["code"], "too_often");
    }
    app.finish().await;
}

/// F13, X46: of many tries at the same moment exactly as many are looked at as there is room for.
#[tokio::test]
async fn tries_at_once_are_counted_one_by_one() {
    let app = door().await;
    let guessers: Vec<_> = (0..40).map(|_| app.visitor().at("203.0.113.9")).collect();
    let tries = guessers.iter().map(|guesser| try_password(guesser, "ada@example.com", WRONG));
    assert_eq!(looked_at(&join_all(tries).await), 8);
    app.finish().await;
}

/// F13: after the time that was named, one more try is looked at, and only one.
#[tokio::test]
async fn waiting_helps() {
    let app = door().await;
    let guesser = app.visitor().at("203.0.113.9");
    for _ in 0..8 {
        try_password(&guesser, "ada@example.com", WRONG).await;
    }
    let wait: u64 = try_password(&guesser, "ada@example.com", WRONG).await.header("retry-after").parse().unwrap();
    later(&app, wait - 2).await;
    assert_eq!(try_password(&guesser, "ada@example.com", WRONG).await.status, 429);
    later(&app, 2).await;
    assert_eq!(try_password(&guesser, "ada@example.com", WRONG).await.status, 422);
    assert_eq!(try_password(&guesser, "ada@example.com", WRONG).await.status, 429);
    later(&app, 720).await;
    assert_eq!(try_password(&guesser, "ada@example.com", seeds::PASSWORD).await.status, 303);
    app.finish().await;
}

/// F13: right passwords do not count, however often one logs in.
#[tokio::test]
async fn right_passwords_do_not_count() {
    let app = door().await;
    for _ in 0..25 {
        let answer = try_password(&app.visitor().at("203.0.113.9"), "ada@example.com", seeds::PASSWORD).await;
        assert_eq!(answer.status, 303);
    }
    app.finish().await;
}

/// F13, X46: a list of passwords sprayed on one account from everywhere at once: no more than 20 hashes in an hour, known
/// account or not; the others are refused without one.
#[tokio::test]
async fn a_spray_on_one_account_is_bounded() {
    let app = door().await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let mut looked = 0;
        let (mut hashed, mut refused) = (Vec::new(), Vec::new());
        for minute in 0..60_u32 {
            let sprayers: Vec<_> = (0..4_u32).map(|n| app.visitor().at(&format!("198.51.{minute}.{n}"))).collect();
            let tries = sprayers.iter().map(async |sprayer| {
                let started = Instant::now();
                (try_password(sprayer, email, WRONG).await, started.elapsed())
            });
            for (answer, time) in join_all(tries).await {
                looked += looked_at(std::slice::from_ref(&answer));
                if answer.status == 429 { &mut refused } else { &mut hashed }.push(time);
            }
            later(&app, 60).await;
        }
        assert!((12..=20).contains(&looked), "{email}: {looked} of 240 were looked at");
        let (hashed, refused) = (median(hashed), median(refused));
        assert!(refused * 2 < hashed, "a refused try costs no hash: {refused:?}, {hashed:?}");
    }
    app.finish().await;
}

/// F13, X46: ten thousand tries in a row, the long form.
#[tokio::test]
#[ignore = "minutes; run by hand"]
async fn ten_thousand_passwords_on_one_account() {
    let app = door().await;
    let mut looked = 0;
    for hundred in 0..100_u32 {
        let sprayers: Vec<_> = (0..100_u32).map(|n| app.visitor().at(&format!("198.51.{hundred}.{n}"))).collect();
        let tries = sprayers.iter().map(|sprayer| try_password(sprayer, "ada@example.com", WRONG));
        looked += looked_at(&join_all(tries).await);
        later(&app, 36).await;
    }
    assert!((12..=20).contains(&looked), "{looked}");
    app.finish().await;
}

/// F13, X46: from one address, however many accounts are tried: 150 at once and never more than 300 in an hour. A whole
/// /64 of IPv6 is one address.
#[tokio::test]
async fn one_address_is_bounded_over_all_accounts() {
    let app = door().await;
    let people: Vec<_> = (0..160).map(|n| app.visitor().at(&format!("2001:db8:7:7:{n:x}::{n:x}"))).collect();
    let mut looked = Vec::new();
    for (round, chunk) in people.chunks(32).enumerate() {
        let tries = chunk
            .iter()
            .enumerate()
            .map(async |(n, person)| try_password(person, &format!("victim{round}-{n}@example.com"), WRONG).await);
        looked.push(looked_at(&join_all(tries).await));
    }
    // While these were tried, some seconds went by: one more try every 24 of them.
    let all: usize = looked.iter().sum();
    assert!((150..160).contains(&all), "{looked:?}");
    assert!(looked[..4].iter().all(|n| *n == 32), "{looked:?}");

    let elsewhere = app.visitor().at("2001:db8:7:8::1");
    assert_eq!(try_password(&elsewhere, "ada@example.com", seeds::PASSWORD).await.status, 303);
    app.finish().await;
}

/// F13: a stranger cannot shut the owner out. From one address he does not use up the account's tries; from everywhere he
/// finds it busy before the owner does at a known address; and the mailed link lets the owner in wherever he is.
#[tokio::test]
async fn the_owner_is_never_locked_out() {
    let mut app = door().await;
    let home = app.visitor().at("192.0.2.1");
    assert_eq!(try_password(&home, "ada@example.com", seeds::PASSWORD).await.status, 303);
    for _ in 0..20 {
        try_password(&app.visitor().at("203.0.113.9"), "ada@example.com", WRONG).await;
    }
    let new_place = app.visitor().at("192.0.2.77");
    assert_eq!(try_password(&new_place, "ada@example.com", seeds::PASSWORD).await.status, 303, "one stranger");

    for n in 0..30 {
        try_password(&app.visitor().at(&format!("198.51.100.{n}")), "ada@example.com", WRONG).await;
    }
    let other_place = app.visitor().at("192.0.2.78");
    assert_eq!(try_password(&other_place, "ada@example.com", seeds::PASSWORD).await.status, 429, "many strangers");
    assert_eq!(try_password(&app.visitor().at("192.0.2.1"), "ada@example.com", WRONG).await.status, 422);
    assert_eq!(try_password(&app.visitor().at("192.0.2.1"), "ada@example.com", seeds::PASSWORD).await.status, 303);

    app.work();
    forgot(&other_place, "ada@example.com").await;
    let reset = link(&app.mail("ada@example.com", 1).await);
    let form = other_place.get(&reset).await.html().form("main form");
    assert_eq!(other_place.submit(&form.fill("password", PASSWORD)).await.status, 303);
    assert_eq!(other_place.get("/app").await.status, 200);
    app.finish().await;
}

/// X46: what a client writes into `X-Forwarded-For` is not believed, unless a proxy of ours brought it.
#[tokio::test]
async fn an_invented_address_does_not_help() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let mut answers = Vec::new();
    for n in 0..12 {
        answers.push(try_password(&app.visitor().at(&format!("203.0.113.{n}")), "ada@example.com", WRONG).await);
    }
    assert_eq!(looked_at(&answers), 8);
    assert_eq!(app.text("SELECT MAX(ip) FROM auth_events").await, "127.0.0.1");
    app.finish().await;
}

/// X46: behind a proxy the client's own lines do not count, only the address that the proxy added last.
#[tokio::test]
async fn only_the_proxys_word_counts() {
    let app = door().await;
    let mut answers = Vec::new();
    for n in 0..12 {
        let person = app.visitor();
        let request = person.request(Method::POST, "/login").header("x-forwarded-for", format!("203.0.113.{n}"));
        let request = request.header("x-forwarded-for", "198.51.100.1");
        answers.push(person.send(request.form(&[("email", "ada@example.com"), ("password", WRONG)])).await);
    }
    assert_eq!(looked_at(&answers), 8);
    assert_eq!(app.text("SELECT MAX(ip) FROM auth_events").await, "198.51.100.1");
    app.finish().await;
}

/// X62: from one address so many accounts are opened in a day; one mail address is registered so often in an hour.
#[tokio::test]
async fn registrations_are_bounded() {
    let app = door().await;
    let register = async |address: &str, email: &str| {
        let form = [("email", email), ("password", PASSWORD)];
        app.visitor().at(address).post("/register", &form).await.status
    };
    let mut opened = 0;
    for n in 0..64 {
        opened += usize::from(register("203.0.113.9", &format!("farm{n}@example.com")).await == 200);
    }
    assert_eq!(opened, 60);
    assert_eq!(app.count("SELECT COUNT(*) FROM users WHERE email LIKE 'farm%'").await, 60);
    assert_eq!(register("203.0.113.10", NORA).await, 200);
    for email in [NORA, "ada@example.com"] {
        let mut taken = 0;
        for n in 0..14 {
            taken += usize::from(register(&format!("198.51.100.{n}"), email).await == 200);
        }
        assert!((9..=10).contains(&taken), "{email}: {taken}");
    }
    app.finish().await;
}

/// F13: mails to one address are asked for so often, whether somebody has it or not; then the page says to wait.
#[tokio::test]
async fn mails_are_bounded() {
    let app = door().await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let mut statuses = Vec::new();
        for n in 0..13 {
            statuses.push(forgot(&app.visitor().at(&format!("198.51.100.{n}")), email).await.status);
        }
        assert_eq!(statuses, [vec![200; 10], vec![429; 3]].concat(), "{email}");
    }
    let mut statuses = Vec::new();
    for n in 0..33 {
        statuses.push(forgot(&app.visitor().at("203.0.113.9"), &format!("somebody{n}@example.com")).await.status);
    }
    assert_eq!(statuses, [vec![200; 30], vec![429; 3]].concat());
    app.finish().await;
}

/// X46: invented links are looked up so often; real ones do not count.
#[tokio::test]
async fn invented_links_are_bounded() {
    for path in ["/activation", "/password/reset", "/email/confirmation"] {
        let app = door().await;
        let guesser = app.visitor().at("203.0.113.9");
        let mut statuses = Vec::new();
        for n in 0..33 {
            let link = format!("{path}?token=invented{n}");
            statuses.push(post_token(&guesser, path, &link).await.status);
        }
        assert_eq!(statuses, [vec![422; 30], vec![429; 3]].concat(), "{path}");
        assert_eq!(guesser.get(&format!("{path}?token=x")).await.status, 429, "{path}");
        app.finish().await;
    }
}

/// F13: somebody at a session that is not theirs cannot guess the password there, nor lock the owner out by trying.
#[tokio::test]
async fn passwords_inside_the_account_are_bounded() {
    let app = door().await;
    let stolen = app.visitor().at("203.0.113.9");
    try_password(&stolen, "ada@example.com", seeds::PASSWORD).await;
    let mut statuses = Vec::new();
    for n in 0..12 {
        let (path, form) = match n % 3 {
            0 => ("/app/account/password", vec![("current_password", WRONG), ("password", PASSWORD)]),
            1 => ("/app/account/email", vec![("email", NORA), ("password", WRONG)]),
            _ => ("/app/account/deletion", vec![("password", WRONG)]),
        };
        statuses.push(stolen.post(path, &form).await.status);
    }
    assert_eq!(statuses, [vec![422; 10], vec![429; 2]].concat());
    assert_eq!(log_in(&app.visitor().at("192.0.2.1"), "ada@example.com", seeds::PASSWORD).await.status, 303);
    app.finish().await;
}

/// F61: the clean-up takes away limits that say nothing any more, sign-ins and sessions of long ago, and nothing else.
#[tokio::test]
async fn what_is_long_over_is_swept() {
    let app = door().await;
    try_password(&app.visitor().at("203.0.113.9"), "ada@example.com", WRONG).await;
    later(&app, 3600).await;
    for n in 0..9 {
        try_password(&app.visitor().at("203.0.113.10"), &format!("bo{n}@example.com"), WRONG).await;
    }
    let before = app.count("SELECT COUNT(*) FROM throttles").await;
    assert_eq!(before, 3 + 1 + 9 * 2);
    app.task("account_cleanup", &[]).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM throttles").await, before - 3);
    assert_eq!(app.count("SELECT COUNT(*) FROM throttles WHERE key LIKE '%@%'").await, 0, "no mail address in clear");

    let _ada = app.sign_in("ada").await;
    let first = "id = (SELECT MIN(id) FROM auth_events)";
    app.set_time("auth_events", "created_at", Utc::now() - TimeDelta::days(181), first).await;
    let events = app.count("SELECT COUNT(*) FROM auth_events").await;
    app.set_time("sessions", "expires_at", Utc::now() - TimeDelta::days(29), "1 = 1").await;
    app.task("account_cleanup", &[]).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM auth_events").await, events - 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 1, "not long enough ago");
    app.set_time("sessions", "expires_at", Utc::now() - TimeDelta::days(31), "1 = 1").await;
    app.task("account_cleanup", &[]).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 0);
    app.finish().await;
}
