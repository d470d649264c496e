//! Questions before something changes, and what came of it.

use loco_rs::{Result, app::AppContext};

use super::{
    money,
    words::{button, line},
};
use crate::models::{
    invoices::Marking,
    provider_keys::{self, State},
    switches::{SAYS_MAX, Switch, Thrown},
    telegram_confirmations::{Deed, Effect, Outcome, Press},
    telegram_updates::{Button, Note},
    tokens::PlainToken,
};

const LABEL: usize = 40;
const WORDS: usize = 300;

/// What exactly would change.
pub async fn question(ctx: &AppContext, deed: &Deed) -> Result<Note> {
    Ok(Note::new(match deed {
        Deed::Activate { key, unasked: false, reason } => {
            let name = name(ctx, *key).await?;
            let follows = "The vendor is asked first. Its count of failures starts anew.";
            format!("Activate key {name}?\n{follows}{}", because(reason))
        }
        Deed::Activate { key, unasked: true, reason } => {
            format!("Activate key {} without asking the vendor?{}", name(ctx, *key).await?, because(reason))
        }
        Deed::Disable { key, reason } => {
            let name = name(ctx, *key).await?;
            let follows = "Calls under way end as they end; nothing new goes to it.";
            format!("Disable key {name}?\n{follows}{}", because(reason))
        }
        Deed::MarkPaid { invoice, reason } => {
            let reason = line(reason, WORDS);
            format!(
                "{}\n\nCall it paid? The month is given at once.\nReason: {reason}",
                money::described(ctx, *invoice).await?
            )
        }
        Deed::Pause { sentence } => {
            let says = if sentence.is_empty() { Switch::GenerationPaused.says() } else { sentence };
            format!("Begin no more pictures?\nWhat is under way is finished. People read:\n\n{}", line(says, SAYS_MAX))
        }
        Deed::Resume => "Begin pictures again?".to_owned(),
    }))
}

/// The question with its one-time buttons.
pub fn with_answers(question: Note, deed: &Deed, token: &PlainToken) -> Note {
    let yes = match deed {
        Deed::Activate { .. } => "Yes, activate",
        Deed::Disable { .. } => "Yes, disable",
        Deed::MarkPaid { .. } => "Yes, it is paid",
        Deed::Pause { .. } => "Yes, pause",
        Deed::Resume => "Yes, resume",
    };
    let token = token.expose().to_owned();
    question.row([button(yes, &Press::Confirm(token.clone())), button("No", &Press::Leave(token))])
}

pub fn outcome(outcome: &Outcome) -> Note {
    match outcome {
        Outcome::Done(deed, effect) => done(deed, effect),
        Outcome::NotTaken { key, checked } => {
            let text = format!("❌ Key {key} stays as it is: {}", line(&checked.in_words(), WORDS));
            let anyway = Press::Ask(Deed::Activate { key: *key, unasked: true, reason: String::new() });
            Note::new(text).row([button("Activate anyway…", &anyway), to_key(*key)])
        }
        Outcome::Void => Note::new("This button was used already, or is too old. Nothing was changed."),
        Outcome::Repeated => Note::default(),
    }
}

fn done(deed: &Deed, effect: &Effect) -> Note {
    match effect {
        Effect::Key(key) => {
            let word = match key.state() {
                State::Active => "✅ Key {} is active again",
                State::Cooldown | State::OutOfFunds | State::ManualReview | State::Disabled => "✅ Key {} is disabled",
            };
            let name = format!("{} {}", key.id, line(&key.label, LABEL));
            Note::new(word.replace("{}", &name)).row([to_key(key.id), button("‹ Keys", &Press::Keys(0))])
        }
        Effect::Marked(marking) => {
            let text = match marking {
                Marking::Marked(_) => "✅ It is paid, and the month is given",
                Marking::AlreadyPaid => "It was paid before. Nothing was changed.",
                Marking::Refunded => "It was paid and given back. Nothing was changed.",
                Marking::NoReason => "A reason is missing. Nothing was changed.",
            };
            let Deed::MarkPaid { invoice, .. } = deed else { return Note::new(text) };
            Note::new(text).row([button(format!("Invoice {invoice}"), &Press::Invoice(*invoice))])
        }
        Effect::Switched(thrown) => Note::new(match (deed, thrown) {
            (Deed::Resume, Thrown::Done) => "✅ Pictures are begun again",
            (Deed::Resume, Thrown::Already) => "Pictures were begun all the time. Nothing was changed.",
            (_, Thrown::Done) => "✅ No more pictures are begun",
            (_, Thrown::Already) => "No pictures were begun anyway, with these words. Nothing was changed.",
            (_, Thrown::Speechless) => "That sentence is too long. Nothing was changed.",
        }),
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!("\nReason: {}", line(reason, WORDS)) }
}

fn to_key(id: i64) -> Button {
    button(format!("Key {id}"), &Press::Key(id))
}

async fn name(ctx: &AppContext, key: i64) -> Result<String> {
    let key = provider_keys::by_id(&ctx.db, key).await?;
    Ok(key.map_or_else(|| "that is gone".to_owned(), |key| format!("{} {}", key.id, line(&key.label, LABEL))))
}
