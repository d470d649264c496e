//! The admins' bot: the real binary `nproxy bot`, talking to the sandbox's Telegram over HTTP.

mod alerts;
mod deeds;
mod pages;
mod pairing;
mod troubles;

use std::process::Stdio;

use sandbox::{TelegramMessage, TelegramPerson, telegram::ANN};
use tokio::io::AsyncWriteExt;

use crate::support::{Finished, TestApp, eventually};

/// Another person at Telegram.
pub fn bob() -> TelegramPerson {
    TelegramPerson::new(43, "Bob", None)
}

/// The bot's newest message in this chat, once there are more than `before` or the newest has changed.
pub async fn answer(app: &TestApp, chat: i64, before: &[TelegramMessage]) -> TelegramMessage {
    eventually("an answer of the bot", || async {
        let now = app.sandbox.telegram().answers(chat);
        (now != before).then(|| now.last().cloned()).flatten()
    })
    .await
}

/// Writes, and waits for what the bot says.
pub async fn say(app: &TestApp, who: &TelegramPerson, text: &str) -> TelegramMessage {
    let before = app.sandbox.telegram().answers(who.id);
    app.sandbox.telegram().says(who, text);
    answer(app, who.id, &before).await
}

/// Presses the newest button of these words, and waits for what the bot makes of it.
pub async fn click(app: &TestApp, who: &TelegramPerson, button: &str) -> TelegramMessage {
    let before = app.sandbox.telegram().answers(who.id);
    let pressed = app.sandbox.telegram().clicks(who, button);
    assert!(pressed.is_some(), "no button {button:?} in {before:#?}");
    answer(app, who.id, &before).await
}

/// The words on the buttons of a message.
pub fn buttons(message: &TelegramMessage) -> Vec<String> {
    message.keyboard.iter().flatten().map(|button| button.text.clone()).collect()
}

/// The code in the only thing that a stranger is told.
pub fn code(message: &TelegramMessage) -> String {
    let code = message.text.strip_prefix("Run `nproxy pair ").and_then(|rest| rest.strip_suffix("` on the server"));
    let code = code.unwrap_or_else(|| panic!("{:?}", message.text)).to_owned();
    let groups: Vec<_> = code.split('-').map(str::len).collect();
    assert_eq!(groups, [5, 5, 3], "{code}");
    assert!(code.chars().all(|c| matches!(c, 'A'..='Z' | '2'..='7' | '-')), "{code}");
    code
}

/// `nproxy …` at a console of the server that knows the bot, with somebody who types `typed`.
pub async fn console(app: &TestApp, arguments: &[&str], typed: &str) -> Finished {
    let mut command = app.command();
    command
        .args(arguments)
        .env("TELEGRAM_BOT_TOKEN", sandbox::telegram::BOT_TOKEN)
        .env("TELEGRAM_API_URL", app.sandbox.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    // Whoever does not ask does not read.
    let _closed = keyboard.write_all(typed.as_bytes()).await;
    drop(keyboard);
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Makes somebody an admin, the way it is done, and waits for the bot to say so. Jobs have to run.
pub async fn pair(app: &TestApp, who: &TelegramPerson) {
    let code = code(&say(app, who, "/start").await);
    let before = app.sandbox.telegram().answers(who.id);
    let paired = console(app, &["pair", &code, "--yes"], "").await;
    assert_eq!(paired.code, Some(0), "{}", paired.said());
    let told = answer(app, who.id, &before).await;
    assert!(told.text.starts_with("You are paired"), "{}", told.text);
}

/// Ann, paired.
pub async fn paired(app: &TestApp) -> TelegramPerson {
    pair(app, &ANN).await;
    ANN
}
