//! Pages of words alone.

use crate::{
    bot::commands,
    models::{
        telegram_confirmations::Press,
        telegram_updates::{Button, Note},
    },
};

pub fn help() -> Note {
    let lines: Vec<String> = commands::ALL.iter().map(|(name, about)| format!("/{name}: {about}")).collect();
    let text = format!(
        "{}\n\nI write by myself when something needs you. What changes something asks first.",
        lines.join("\n")
    );
    Note::new(text).row([button("Status", &Press::Status), button("Keys", &Press::Keys(0))])
}

pub fn unknown() -> Note {
    Note::new("I do not know that. /help says what I can do.")
}

/// A button of an older release.
pub fn outdated() -> Note {
    Note::new("This button is out of date. /help says what I can do.")
}

pub fn button(text: impl Into<String>, press: &Press) -> Button {
    Button::new(text, press.to_string())
}

/// Somebody else's words in one line, cut: a vendor's error, a label.
pub fn line(text: &str, longest: usize) -> String {
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.chars().count() <= longest {
        return plain;
    }
    plain.chars().take(longest).chain(['…']).collect()
}

/// A moment, for people who may be anywhere.
pub fn moment(at: &chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
