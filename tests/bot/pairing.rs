//! Becoming an admin of the bot, and ceasing to be one.

use chrono::{TimeDelta, Utc};
use nproxy::models::activities;
use sandbox::telegram::ANN;
use serde_json::Value;

use super::{bob, code, console, pair, paired, say};
use crate::support::{Process, TestApp, eventually};

/// F56: whoever is not paired learns how to be, whatever they write, and nothing else; each message makes another code and
/// voids the last. Groups and channels get no answer at all.
#[tokio::test]
async fn a_stranger_learns_how_to_pair_and_nothing_else() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    let telegram = app.sandbox.telegram();
    let first = code(&say(&app, &ANN, "/start").await);
    let mut codes = vec![first.clone()];
    for line in ["/keys", "/status", "/user bo@example.com", "/pay 1", "/pause x", "hello", "do:x", "/keys <b>"] {
        codes.push(code(&say(&app, &ANN, line).await));
    }
    let count = codes.len();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), count, "each message has a code of its own");

    // A button of an admin's that a stranger's client makes up.
    let message = telegram.answers(ANN.id).last().unwrap().id;
    let before = telegram.answers(ANN.id);
    telegram.presses(&ANN, message, "disable:1").unwrap();
    let newest = code(&super::answer(&app, ANN.id, &before).await);

    let group = telegram.says_in_group(&ANN, -100, "/start");
    eventually("the bot to read the group", || async { (telegram.waiting() == 0).then_some(()) }).await;
    assert!(telegram.messages(-100).iter().all(|it| !it.from_bot), "update {group}");

    let old = console(&app, &["pair", &first, "--yes"], "").await;
    assert_eq!(old.code, Some(1), "{}", old.said());
    assert!(old.err.contains("there is no such code"), "{}", old.said());
    assert_eq!(app.count("SELECT COUNT(*) FROM telegram_pairings").await, 1, "one open code per chat");
    let stored = app.text("SELECT code_hash FROM telegram_pairings").await;
    assert!(!stored.contains(&newest) && stored.len() == 64, "{stored}");
    assert!(!Process::log(&app).contains(&newest), "a code in the log");
    assert!(telegram.answers(ANN.id).iter().all(|it| it.keyboard.is_empty() && it.parse_mode.is_empty()));
    bot.stop().await;
    app.finish().await;
}

/// F57: the console shows who it is and asks; a no, nobody at the keyboard, a wrong, a used and an expired code all leave
/// with 1; a yes pairs, once, with one trace, and the chat hears of it. The task does the same.
#[tokio::test]
async fn an_admin_is_paired_at_the_console() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    let telegram = app.sandbox.telegram();
    let first = code(&say(&app, &ANN, "/start").await);

    for typed in ["n\n", "", "maybe\n"] {
        let no = console(&app, &["pair", &first], typed).await;
        assert_eq!(no.code, Some(1), "{typed:?}: {}", no.said());
        assert!(no.out.contains("Add @ann (id 42)?"), "{}", no.said());
        assert!(no.err.contains("nobody was added"), "{}", no.said());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM telegram_admins").await, 0);

    let before = telegram.answers(ANN.id);
    // As people type: small letters, a dash.
    let typed = format!("{}-{}", &first[..4], &first[4..]).to_lowercase();
    let yes = console(&app, &["pair", &typed], "y\n").await;
    assert_eq!(yes.code, Some(0), "{}", yes.said());
    assert!(yes.out.contains("@ann (id 42) is paired"), "{}", yes.said());
    let told = super::answer(&app, ANN.id, &before).await;
    assert!(told.text.starts_with("You are paired"), "{}", told.text);
    let id = app.count("SELECT id FROM telegram_admins WHERE telegram_id = 42 AND revoked_at IS NULL").await;
    let trace = activities::about(&app.ctx.db, "telegram_admin", id).await.unwrap();
    assert_eq!(trace.len(), 1);
    assert_eq!((trace[0].activity_type.as_str(), trace[0].actor_type.as_str()), ("pair_telegram_admin", "cli"));

    let again = console(&app, &["pair", &first, "--yes"], "").await;
    assert_eq!(again.code, Some(1), "{}", again.said());
    assert!(again.err.contains("used already"), "{}", again.said());
    let wrong = console(&app, &["pair", "ABCD2345", "--yes"], "").await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.said());
    assert!(wrong.err.contains("there is no such code"), "{}", wrong.said());

    let late = code(&say(&app, &bob(), "hello").await);
    app.set_time("telegram_pairings", "expires_at", Utc::now() - TimeDelta::minutes(5), "state = 'pending'").await;
    for asked in [&["pair", &late, "--yes"][..], &["pair", &late][..]] {
        let expired = console(&app, asked, "y\n").await;
        assert_eq!(expired.code, Some(1), "{}", expired.said());
        assert!(expired.err.contains("expired"), "{}", expired.said());
    }
    let fresh = code(&say(&app, &bob(), "hello").await);
    let task = console(&app, &["task", "pair", &format!("code:{fresh}"), "yes:true", "json:true"], "").await;
    assert_eq!(task.code, Some(0), "{}", task.said());
    let line = task.out.lines().find(|line| line.starts_with('{')).unwrap();
    assert_eq!(serde_json::from_str::<Value>(line).unwrap()["telegram_id"], 43);
    assert_eq!(app.count("SELECT COUNT(*) FROM telegram_admins").await, 2);
    bot.stop().await;
    app.finish().await;
}

/// F58: the console lists who is paired and who waits, lets somebody go at once, and tidies up.
#[tokio::test]
async fn an_admin_is_let_go() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    let empty = console(&app, &["pair", "list"], "").await;
    assert_eq!(empty.code, Some(0), "{}", empty.said());
    assert!(empty.out.contains("nobody is paired"), "{}", empty.said());

    let ann = paired(&app).await;
    code(&say(&app, &bob(), "hello").await);
    let list = console(&app, &["pair", "list"], "").await;
    assert!(list.out.contains("@ann (id 42)") && list.out.contains("\"Bob\" (id 43)"), "{}", list.out);
    let list = console(&app, &["pair", "list", "--json"], "").await;
    let line = list.out.lines().find(|line| line.starts_with('{')).unwrap();
    let list: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&list["admins"][0]["telegram_id"], &list["waiting"][0]["telegram_id"]), (&42.into(), &43.into()));

    assert!(say(&app, &ann, "/status").await.text.contains("Keys:"));
    let gone = console(&app, &["pair", "revoke", "42"], "").await;
    assert_eq!(gone.code, Some(0), "{}", gone.said());
    assert!(gone.out.contains("@ann (id 42) is obeyed no longer"), "{}", gone.said());
    code(&say(&app, &ann, "/status").await);
    // Also not through a button of before.
    let telegram = app.sandbox.telegram();
    let before = telegram.answers(ann.id);
    telegram.clicks(&ann, "Keys").unwrap();
    code(&super::answer(&app, ann.id, &before).await);

    for (arguments, says) in
        [(&["pair", "revoke", "42"][..], "nobody of id 42 is paired"), (&["pair", "revoke"][..], "id: is missing")]
    {
        let end = console(&app, arguments, "").await;
        // The first of them withdraws the code that Ann has asked for meanwhile.
        if end.code == Some(0) {
            let end = console(&app, arguments, "").await;
            assert_eq!(end.code, Some(1), "{}", end.said());
            assert!(end.err.contains(says), "{}", end.said());
        } else {
            assert!(end.err.contains(says), "{}", end.said());
        }
    }
    app.set_time("telegram_pairings", "expires_at", Utc::now() - TimeDelta::minutes(1), "state = 'pending'").await;
    let tidied = console(&app, &["pair", "cleanup"], "").await;
    assert_eq!(tidied.code, Some(0), "{}", tidied.said());
    assert!(tidied.out.contains("1 codes have expired"), "{}", tidied.said());

    // Who was let go can be paired again.
    pair(&app, &ann).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM telegram_admins WHERE telegram_id = 42").await, 2);
    bot.stop().await;
    app.finish().await;
}
