//! Telegram that is away, repeats itself or is asked by two at once; a bot that dies.

use std::time::Duration;

use nproxy::models::activities;
use sandbox::{TelegramFault, TelegramTrouble, telegram::BOT_TOKEN};

use super::{click, code, paired, say};
use crate::support::{Process, TestApp, eventually};

async fn read_everything(app: &TestApp) {
    eventually("the bot to read everything", || async { (app.sandbox.telegram().waiting() == 0).then_some(()) }).await;
}

/// X27: updates that come again, because Telegram lost its memory or the bot died, are done once, each in the transaction
/// of what it does; what was written while nobody listened is answered.
#[tokio::test]
async fn an_update_is_done_once() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    let telegram = app.sandbox.telegram();
    let key = app.key("sandbox-k1").await.id;
    say(&app, &ann, "/key sandbox-k1").await;
    click(&app, &ann, "Disable…").await;
    click(&app, &ann, "Yes, disable").await;
    let traces = activities::about(&app.ctx.db, "provider_key", key).await.unwrap().len();
    let answers = telegram.answers(ann.id);

    telegram.repeat(10);
    read_everything(&app).await;
    bot.kill().await;
    telegram.repeat(10);
    telegram.says(&ann, "/help");
    let mut bot = Process::bot(&app, &[]);
    read_everything(&app).await;
    super::answer(&app, ann.id, &answers).await;
    let after = telegram.answers(ann.id);
    assert_eq!(after.len(), answers.len() + 1, "only /help was new: {after:#?}");
    assert_eq!(activities::about(&app.ctx.db, "provider_key", key).await.unwrap().len(), traces);
    assert!(bot.is_alive());
    bot.stop().await;
    app.finish().await;
}

/// One process reads at a time: the second waits for the first to leave, so that Telegram never has to choose.
#[tokio::test]
async fn one_process_reads_at_a_time() {
    let app = TestApp::start().await;
    let first = Process::bot(&app, &[]);
    code(&say(&app, &super::bob(), "hello").await);
    let second = Process::bot(&app, &[]);
    for _ in 0..3 {
        code(&say(&app, &super::bob(), "hello").await);
    }
    let conflicts = || app.sandbox.telegram().calls().iter().filter(|it| it.status == Some(409)).count();
    assert_eq!(conflicts(), 0);
    first.stop().await;
    code(&say(&app, &super::bob(), "still there?").await);
    assert_eq!(conflicts(), 0);
    second.stop().await;
    app.finish().await;
}

/// X27: 429, 409, 5xx, broken connections, garbage, a webhook of another life and a token that was taken back: the process
/// stays, says nothing secret, and goes on when it is over.
#[tokio::test]
async fn telegram_may_be_away() {
    let app = TestApp::start().await;
    let mut bot = Process::bot(&app, &[("LOG_LEVEL", "trace"), ("LOG_FILTER", "trace,sqlx=warn")]);
    let telegram = app.sandbox.telegram();
    code(&say(&app, &super::bob(), "hello").await);
    for fault in [
        TelegramFault::RateLimited { retry_after_s: 1 },
        TelegramFault::Conflict,
        TelegramFault::Html,
        TelegramFault::Garbage,
        TelegramFault::Reset,
        TelegramFault::Unauthorized,
    ] {
        telegram.clear();
        telegram.fail(TelegramTrouble::always(fault.clone()));
        telegram.says(&super::bob(), "anybody there?");
        eventually("a call that fails", || async { (!telegram.calls().is_empty()).then_some(()) }).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(bot.is_alive(), "{fault:?}: {}", Process::log(&app));
        telegram.heal();
        read_everything(&app).await;
    }
    telegram.webhook("https://elsewhere.example.com/hook");
    let before = telegram.answers(43);
    telegram.says(&super::bob(), "hello");
    // The question under way is answered still; the next one meets the webhook.
    super::answer(&app, 43, &before).await;
    code(&say(&app, &super::bob(), "hello again").await);
    assert!(bot.is_alive());
    bot.stop().await;
    let log = Process::log(&app);
    assert!(!log.contains(BOT_TOKEN) && !log.contains("canary"), "the token is in the log");
    app.finish().await;
}

/// An answer whose first try is lost is sent again; what it answers is done once.
#[tokio::test]
async fn an_answer_is_tried_again() {
    let app = TestApp::start().await;
    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    let telegram = app.sandbox.telegram();
    telegram.fail(TelegramTrouble::always(TelegramFault::Reset).of("sendMessage").times(1));
    assert!(say(&app, &ann, "/status").await.text.contains("Keys:"));
    telegram.fail(TelegramTrouble::always(TelegramFault::RateLimited { retry_after_s: 1 }).of("sendMessage").times(1));
    assert!(say(&app, &ann, "/balances").await.text.starts_with("Balances"));
    bot.stop().await;
    app.finish().await;
}

/// Without a token there is no bot, and the command says what to do and ends well, or whoever keeps it running would start
/// it for ever; a token that is none stops every command, unshown.
#[tokio::test]
async fn a_bot_needs_a_token() {
    let app = TestApp::start().await;
    let none = app.nproxy(&["bot"]).await;
    assert_eq!(none.code, Some(0), "{}", none.said());
    assert!(none.said().contains("set TELEGRAM_BOT_TOKEN"), "{}", none.said());
    let mut command = app.command();
    let wrong = crate::support::Finished::of(command.env("TELEGRAM_BOT_TOKEN", "canary").args(["bot"])).await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.said());
    assert!(wrong.err.contains("is no bot's token") && !wrong.said().contains("canary"), "{}", wrong.said());
    app.finish().await;
}
