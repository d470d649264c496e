//! What an admin can write to the bot.

use loco_rs::app::AppContext;

use crate::context::Nproxy;

/// A line of text, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Help,
    Status,
    /// A key by its id or label, or all of them.
    Keys(Option<String>),
    /// A key to be brought back or taken out, and why.
    Activate(Change),
    Disable(Change),
    Balances,
    User(String),
    /// An invoice, and the reason for which it is to be called paid.
    Pay {
        invoice: String,
        paid_because: Option<String>,
    },
    /// The sentence that people read meanwhile; empty for ours.
    Pause(String),
    Resume,
    /// What there is no command for.
    Unknown,
    /// A command without what it needs; how it is used.
    Incomplete(&'static str),
}

/// A key by its id or label, and the reason for changing it, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: String,
    pub reason: String,
}

/// As Telegram lists them, with what they do.
pub const ALL: [(&str, &str); 10] = [
    ("status", "how everything stands"),
    ("keys", "the provider keys; test, activate, disable"),
    ("activate", "bring a key back: /activate KEY REASON"),
    ("disable", "take a key out of service: /disable KEY REASON"),
    ("balances", "what the accounts behind the keys hold"),
    ("user", "a person: /user MAIL"),
    ("pay", "an invoice: /pay ID; /pay ID paid REASON marks it paid"),
    ("pause", "begin no more pictures; /pause SENTENCE says it to people in your words"),
    ("resume", "make pictures again"),
    ("help", "what I can do"),
];

/// Tells Telegram which commands there are; `false` when it did not listen, to be tried again.
pub async fn offer(ctx: &AppContext) -> bool {
    let parts = ctx.parts();
    let Some(telegram) = parts.telegram() else { return true };
    match telegram.offer_commands(&ALL).await {
        Ok(()) => true,
        Err(failure) => {
            tracing::info!(%failure, "the list of commands is not offered yet");
            false
        }
    }
}

impl Command {
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        // In groups people write `/status@bot`; in a private chat some clients do.
        let word = word.split('@').next().unwrap_or_default().to_lowercase();
        match (word.as_str(), rest) {
            ("/help" | "/start", _) => Self::Help,
            ("/status", _) => Self::Status,
            ("/keys" | "/key", "") => Self::Keys(None),
            ("/keys" | "/key", name) => Self::Keys(Some(name.to_owned())),
            ("/activate", "") => Self::Incomplete("/activate KEY REASON"),
            ("/activate", rest) => Self::Activate(Change::read(rest)),
            ("/disable", "") => Self::Incomplete("/disable KEY REASON"),
            ("/disable", rest) => Self::Disable(Change::read(rest)),
            ("/balances", _) => Self::Balances,
            ("/user", "") => Self::Incomplete("/user MAIL"),
            ("/user", mail) => Self::User(mail.to_owned()),
            ("/pay", "") => Self::Incomplete("/pay ID, or /pay ID paid REASON"),
            ("/pay", rest) => Self::pay(rest),
            ("/pause", sentence) => Self::Pause(sentence.to_owned()),
            ("/resume", _) => Self::Resume,
            _ => Self::Unknown,
        }
    }

    fn pay(rest: &str) -> Self {
        let (invoice, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let invoice = invoice.to_owned();
        let (word, reason) = more.trim().split_once(char::is_whitespace).unwrap_or((more.trim(), ""));
        match (word.to_lowercase().as_str(), reason.trim()) {
            ("", _) => Self::Pay { invoice, paid_because: None },
            ("paid", reason) if !reason.is_empty() => Self::Pay { invoice, paid_because: Some(reason.to_owned()) },
            _ => Self::Incomplete("/pay ID paid REASON"),
        }
    }
}

impl Change {
    /// A label of several words is named by its id.
    fn read(rest: &str) -> Self {
        let (key, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        Self { key: key.to_owned(), reason: reason.trim().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Change,
        Command::{self, *},
    };

    #[test]
    fn lines_are_read_as_people_write_them() {
        let pay = |invoice: &str, because: Option<&str>| Pay {
            invoice: invoice.into(),
            paid_because: because.map(str::to_owned),
        };
        for (line, meant) in [
            ("/start", Help),
            (" /HELP@nproxy_bot ", Help),
            ("/status now", Status),
            ("/keys", Keys(None)),
            ("/key  sandbox one", Keys(Some("sandbox one".into()))),
            ("/disable 7  it leaked ", Disable(Change { key: "7".into(), reason: "it leaked".into() })),
            ("/activate k1", Activate(Change { key: "k1".into(), reason: String::new() })),
            ("/activate", Incomplete("/activate KEY REASON")),
            ("/user Ada@example.com", User("Ada@example.com".into())),
            ("/user", Incomplete("/user MAIL")),
            ("/pay 7", pay("7", None)),
            ("/pay 7 paid  seen on the chain", pay("7", Some("seen on the chain"))),
            ("/pay 7 paid", Incomplete("/pay ID paid REASON")),
            ("/pay 7 refund it", Incomplete("/pay ID paid REASON")),
            ("/pause We are\nback soon", Pause("We are\nback soon".into())),
            ("/pause", Pause(String::new())),
            ("/resume", Resume),
            ("hello", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(Command::read(line), meant, "{line:?}");
        }
    }
}
