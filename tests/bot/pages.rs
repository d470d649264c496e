//! What the bot shows.

use super::{buttons, click, paired, say};
use crate::support::{Process, Setup, TestApp};

/// F60: how things stand, balances, a person and their invoice; what was asked for and made is never shown.
#[tokio::test]
async fn an_admin_looks_around() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    app.task("key_balance", &[("key", "sandbox-k1"), ("dollars", "12.50")]).await.unwrap();
    let bo = app.sign_in("bo").await;
    bo.make("a secret canary prompt", &[]).await;

    let help = say(&app, &ann, "/help").await;
    for command in
        ["/status", "/keys", "/activate", "/disable", "/balances", "/user", "/pay", "/pause", "/resume", "/help"]
    {
        assert!(help.text.contains(command), "{}", help.text);
    }
    let offered = app.sandbox.telegram().commands();
    assert_eq!(offered.as_array().unwrap().len(), 10, "{offered}");

    let status = say(&app, &ann, "/status").await;
    assert!(status.text.starts_with("✅ All is well"), "{}", status.text);
    assert!(status.text.contains("Keys: 3 active") && status.text.contains("1 made, 0 failed"), "{}", status.text);
    let balances = click(&app, &ann, "Balances").await;
    assert!(balances.text.contains("sandbox-k2: not known"), "{}", balances.text);
    assert!(balances.text.contains("sandbox-k1: $12."), "{}", balances.text);

    let person = say(&app, &ann, "/user BO@example.com").await;
    assert!(person.text.contains("bo@example.com") && person.text.contains("Plan: running"), "{}", person.text);
    assert!(person.text.contains("quota: 99 free, 0 held"), "{}", person.text);
    assert_eq!(say(&app, &ann, "/user nobody@example.com").await.text, "There is no account of this address.");
    assert_eq!(say(&app, &ann, "/user").await.text, "Write /user MAIL");
    assert!(say(&app, &ann, "/pay 7").await.text.starts_with("There is no such invoice"));
    assert!(say(&app, &ann, "what?").await.text.starts_with("I do not know that"));

    let said: String = app.sandbox.telegram().answers(ann.id).iter().map(|it| it.text.clone()).collect();
    assert!(!said.contains("canary"), "{said}");
    bot.stop().await;
    app.finish().await;
}

/// A hundred keys with labels of every kind are paged, within Telegram's limits, and nobody's words are read as markup.
#[tokio::test]
async fn long_lists_are_paged_and_nothing_is_markup() {
    let app = TestApp::with(Setup { keys: vec![], ..Setup::default() }).await;
    let odd = ["<b>bold</b>", "*bold* _it_ [l](http://x)", "`code`", "a\u{202e}b", &"long ".repeat(60), "🐈🐈🐈"];
    for number in 0..100 {
        app.add_key(&format!("{} {number}", odd[number % odd.len()]), 1).await;
    }
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    let first = say(&app, &ann, "/keys").await;
    assert!(first.text.starts_with("100 keys, page 1 of 13"), "{}", first.text);
    assert!(first.text.contains("<b>bold</b> 0: active") && first.text.contains("[l](http://x) 1"), "{}", first.text);
    let second = click(&app, &ann, "Next ›").await;
    assert!(second.text.starts_with("100 keys, page 2 of 13"), "{}", second.text);
    assert_eq!(buttons(&second).len(), 10);
    let back = click(&app, &ann, "‹ Back").await;
    assert!(back.text.starts_with("100 keys, page 1 of 13"), "{}", back.text);
    let balances = say(&app, &ann, "/balances").await;
    assert!(balances.text.contains("… and 40 more"), "{}", balances.text);
    for message in app.sandbox.telegram().answers(ann.id) {
        assert!(message.parse_mode.is_empty(), "{message:?}");
        assert!(message.text.encode_utf16().count() <= 4096);
    }
    let refused: Vec<_> = app.sandbox.telegram().calls().into_iter().filter(|it| it.status == Some(400)).collect();
    assert!(refused.is_empty(), "{refused:?}");
    bot.stop().await;
    app.finish().await;
}
