//! The provider keys: all of them, page by page, one with what can be done about it, and what is on their accounts.

use std::fmt::Write;

use loco_rs::{Result, app::AppContext};

use super::words::{button, line, moment};
use crate::models::{
    provider_keys::{self, Model, State, balance::dollars, check::Checked},
    proxies,
    telegram_confirmations::{Deed, Press},
    telegram_updates::{Button, Note},
};

/// Keys on a page: their buttons fit a phone.
const PER_PAGE: usize = 8;

/// Lines of balances in one message.
const BALANCES: usize = 60;

/// So much of a label, and of what a vendor said.
const LABEL: usize = 40;
const ERROR: usize = 300;

pub async fn keys(ctx: &AppContext, page: usize) -> Result<Note> {
    let all = provider_keys::list(&ctx.db).await?;
    if all.is_empty() {
        return Ok(Note::new("There are no keys yet. On the server: nproxy task key_add"));
    }
    let pages = all.len().div_ceil(PER_PAGE);
    let page = page.min(pages - 1);
    let shown = &all[page * PER_PAGE..(page * PER_PAGE + PER_PAGE).min(all.len())];
    let mut text = format!("{} keys", all.len());
    if pages > 1 {
        let _ = write!(text, ", page {} of {pages}", page + 1);
    }
    text.push('\n');
    for key in shown {
        let _ = write!(text, "\n{} {}: {}", mark(key.state()), name(key), state(key));
    }
    let mut note = Note::new(text);
    for pair in shown.chunks(2) {
        note = note
            .row(pair.iter().map(|key| button(format!("{} {}", key.id, line(&key.label, 20)), &Press::Key(key.id))));
    }
    let mut turn: Vec<Button> = Vec::new();
    if page > 0 {
        turn.push(button("‹ Back", &Press::Keys(page - 1)));
    }
    if page + 1 < pages {
        turn.push(button("Next ›", &Press::Keys(page + 1)));
    }
    Ok(note.row(turn))
}

pub async fn key(ctx: &AppContext, id: i64) -> Result<Note> {
    let Some(key) = provider_keys::by_id(&ctx.db, id).await? else {
        return Ok(Note::new("There is no such key any more.").row([button("‹ Keys", &Press::Keys(0))]));
    };
    let mut text = format!("{} Key {}\n{}, {}\n\n", mark(key.state()), name(&key), key.provider, key.secret_hint);
    let _ = writeln!(text, "State: {}", state(&key));
    let _ = writeln!(
        text,
        "Calls: {} ok, {} failed, {} in a row; {} at once",
        key.successes, key.failures, key.consecutive_failures, key.max_concurrency
    );
    let proxy = match key.proxy_id {
        Some(proxy) => proxies::by_id(&ctx.db, proxy).await?,
        None => None,
    };
    if let Some(proxy) = proxy {
        let _ = writeln!(text, "Proxy: {} ({})", line(&proxy.label, LABEL), proxy.state);
    }
    let _ = writeln!(text, "Balance: {}", balance(ctx, &key).await?);
    if let Some(at) = &key.succeeded_at {
        let _ = writeln!(text, "Last picture: {}", moment(at));
    }
    if let Some(error) = &key.last_error {
        let _ = writeln!(text, "Last error: {}", line(error, ERROR));
    }
    let change = match key.state() {
        State::Active | State::Cooldown => {
            button("Disable…", &Press::Ask(Deed::Disable { key: id, reason: String::new() }))
        }
        State::OutOfFunds | State::ManualReview | State::Disabled => {
            button("Activate…", &Press::Ask(Deed::Activate { key: id, unasked: false, reason: String::new() }))
        }
    };
    let row = [button("Test", &Press::Test(id)), change, button("‹ Keys", &Press::Keys(0))];
    Ok(Note::new(text.trim_end()).row(row))
}

pub fn no_key() -> Note {
    Note::new("There is no such key. /keys lists them.")
}

/// What the vendor said to a key, or that the key is gone.
pub async fn tested(ctx: &AppContext, id: i64, checked: Option<&Checked>) -> Result<Note> {
    let mut note = key(ctx, id).await?;
    if let Some(checked) = checked {
        let mark = if checked.answer.is_ok() { "✅" } else { "❌" };
        let _ = write!(note.text, "\n\n{mark} Tested: {}", line(&checked.in_words(), ERROR));
    }
    Ok(note)
}

pub async fn balances(ctx: &AppContext) -> Result<Note> {
    let all = provider_keys::list(&ctx.db).await?;
    if all.is_empty() {
        return Ok(Note::new("There are no keys yet. On the server: nproxy task key_add"));
    }
    let mut text = String::from("Balances\n");
    for key in all.iter().take(BALANCES) {
        let _ = write!(text, "\n{} {}: {}", mark(key.state()), name(key), balance(ctx, key).await?);
    }
    if all.len() > BALANCES {
        let _ = write!(text, "\n… and {} more: nproxy task key_list", all.len() - BALANCES);
    }
    Ok(Note::new(text).row([button("Status", &Press::Status), button("Keys", &Press::Keys(0))]))
}

async fn balance(ctx: &AppContext, key: &Model) -> Result<String> {
    let Some(left) = key.balance_micros else { return Ok("not known".to_owned()) };
    let days = key.days_left(&ctx.db).await?.map(|days| format!(", {days:.1} days left")).unwrap_or_default();
    Ok(format!("{}{days}", dollars(left)))
}

fn name(key: &Model) -> String {
    format!("{} {}", key.id, line(&key.label, LABEL))
}

fn state(key: &Model) -> String {
    let word = match key.state() {
        State::Active => "active",
        State::Cooldown => "resting",
        State::OutOfFunds => "out of funds",
        State::ManualReview => "waits for your decision",
        State::Disabled => "disabled",
    };
    let reason = key.state_reason.as_deref().map(|reason| format!(" ({})", line(reason, LABEL))).unwrap_or_default();
    let until = key.cooldown_until.filter(|_| key.state() == State::Cooldown);
    let until = until.map(|at| format!(" until {}", at.format("%H:%M UTC"))).unwrap_or_default();
    format!("{word}{reason}{until}")
}

fn mark(state: State) -> &'static str {
    match state {
        State::Active => "🟢",
        State::Cooldown => "🟡",
        State::OutOfFunds | State::ManualReview => "🔴",
        State::Disabled => "⚪",
    }
}
