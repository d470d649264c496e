//! What the bot does about an update: whoever is not paired learns how to be and nothing else, an admin gets a page, a
//! question, or what was confirmed.

use std::time::Duration;

use loco_rs::{Result, app::AppContext};

use super::{
    Tries,
    commands::{Change, Command},
    pages,
};
use crate::{
    context::Nproxy,
    models::{
        invoices,
        provider_keys::{self, check},
        telegram_admins::{self, Model as Admin},
        telegram_confirmations::{self as confirmations, Deed, Outcome, Press, THROUGH_THE_BOT},
        telegram_pairings::{self, Asked},
        telegram_updates::{self, Event, Failure, Note, Sender, Update},
        users,
    },
};

/// An answer that Telegram does not take at once is sent so often; nobody else waits longer for it.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Where an answer appears.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// As a new message.
    Below { chat: i64 },
    /// In place of the message whose button was pressed.
    There { chat: i64, message: i32, query: &'a str },
}

/// Deals with updates in their order; the one that fails and those after it come again.
pub(super) async fn to_all(ctx: &AppContext, updates: &[Update], tries: &mut Tries) -> Result<()> {
    for update in updates {
        if let Err(error) = to_one(ctx, update).await {
            if !tries.count(update.id) {
                return Err(error);
            }
            tracing::error!(%error, update = update.id, "an update cannot be dealt with");
            tries.leave_out(ctx, update).await?;
        }
    }
    Ok(())
}

async fn to_one(ctx: &AppContext, update: &Update) -> Result<()> {
    let (from, place) = match &update.event {
        Event::Elsewhere => return telegram_updates::seen(ctx, update).await.map(drop),
        Event::Said { from, .. } => (from, Place::Below { chat: from.id }),
        Event::Pressed { from, query, message, .. } => {
            (from, Place::There { chat: from.id, message: *message, query: query.as_str() })
        }
    };
    let Some(admin) = telegram_admins::paired(&ctx.db, from.id).await? else {
        return to_stranger(ctx, update, from).await;
    };
    match &update.event {
        Event::Elsewhere => Ok(()),
        Event::Said { text, .. } => to_line(ctx, update, &admin, text, place).await,
        Event::Pressed { data, .. } => match data.parse::<Press>() {
            Ok(press) => to_press(ctx, update, &admin, press, place).await,
            Err(_) => show(ctx, update, place, pages::outdated()).await,
        },
    }
}

/// Whatever it was that they wrote or pressed: the same words with the newest code.
async fn to_stranger(ctx: &AppContext, update: &Update, from: &Sender) -> Result<()> {
    match telegram_pairings::ask(ctx, update, from).await? {
        Asked::Code(code) => {
            let note = Note::new(format!("Run `nproxy pair {}` on the server", code.spelled()));
            say(ctx, Place::Below { chat: from.id }, &note).await;
        }
        Asked::Quiet | Asked::Repeated => {}
    }
    Ok(())
}

async fn to_line(ctx: &AppContext, update: &Update, admin: &Admin, text: &str, place: Place<'_>) -> Result<()> {
    let note = match Command::read(text) {
        Command::Help => pages::help(),
        Command::Unknown => pages::unknown(),
        Command::Incomplete(usage) => Note::new(format!("Write {usage}")),
        Command::Status => pages::status(ctx).await?,
        Command::Balances => pages::balances(ctx).await?,
        Command::Keys(None) => pages::keys(ctx, 0).await?,
        Command::Keys(Some(name)) => match provider_keys::named(&ctx.db, &name).await? {
            Some(key) => pages::key(ctx, key.id).await?,
            None => pages::no_key(),
        },
        Command::Activate(Change { key, reason }) => match provider_keys::named(&ctx.db, &key).await? {
            Some(key) => {
                let deed = Deed::Activate { key: key.id, unasked: false, reason };
                return ask(ctx, update, admin, &deed, place).await;
            }
            None => pages::no_key(),
        },
        Command::Disable(Change { key, reason }) => match provider_keys::named(&ctx.db, &key).await? {
            Some(key) => return ask(ctx, update, admin, &Deed::Disable { key: key.id, reason }, place).await,
            None => pages::no_key(),
        },
        Command::User(mail) => match users::by_email(&ctx.db, &users::normalized(&mail)).await? {
            Some(user) => pages::user(ctx, &user).await?,
            None => Note::new("There is no account of this address."),
        },
        Command::Pay { invoice, paid_because: None } => pages::invoice(ctx, &invoice).await?,
        Command::Pay { invoice, paid_because: Some(reason) } => match pages::find_invoice(ctx, &invoice).await? {
            Some(invoice) => {
                let deed = Deed::MarkPaid { invoice: invoice.id, reason };
                return ask(ctx, update, admin, &deed, place).await;
            }
            None => pages::no_invoice(),
        },
        Command::Pause(sentence) => return ask(ctx, update, admin, &Deed::Pause { sentence }, place).await,
        Command::Resume => return ask(ctx, update, admin, &Deed::Resume, place).await,
    };
    show(ctx, update, place, note).await
}

async fn to_press(ctx: &AppContext, update: &Update, admin: &Admin, press: Press, place: Place<'_>) -> Result<()> {
    let note = match press {
        Press::Status => pages::status(ctx).await?,
        Press::Balances => pages::balances(ctx).await?,
        Press::Keys(page) => pages::keys(ctx, page).await?,
        Press::Key(id) => pages::key(ctx, id).await?,
        Press::Invoice(id) => pages::invoice(ctx, &id.to_string()).await?,
        Press::Test(id) => {
            let checked = match provider_keys::by_id(&ctx.db, id).await? {
                Some(_) => Some(check::check(ctx, id).await?),
                None => None,
            };
            pages::tested(ctx, id, checked.as_ref()).await?
        }
        Press::Look(id) => return look(ctx, update, admin, id, place).await,
        Press::Ask(deed) => return ask(ctx, update, admin, &deed, place).await,
        Press::Confirm(token) => return confirm(ctx, update, admin, &token, place).await,
        Press::Leave(token) => {
            if confirmations::leave(ctx, update, admin, &token).await? {
                say(ctx, place, &Note::new("Nothing was changed.")).await;
            }
            return Ok(());
        }
    };
    show(ctx, update, place, note).await
}

/// A page that was read before the update counts as done: what cannot be read is tried again.
async fn show(ctx: &AppContext, update: &Update, place: Place<'_>, note: Note) -> Result<()> {
    if telegram_updates::seen(ctx, update).await? {
        say(ctx, place, &note).await;
    }
    Ok(())
}

/// The processor is asked after the update counts as done: it may take its time, and asking twice is nothing.
async fn look(ctx: &AppContext, update: &Update, admin: &Admin, id: i64, place: Place<'_>) -> Result<()> {
    let Some(invoice) = invoices::by_id(&ctx.db, id).await? else {
        return show(ctx, update, place, pages::no_invoice()).await;
    };
    if telegram_updates::seen(ctx, update).await? {
        let applied = invoices::check(ctx, &invoice, &admin.actor(), THROUGH_THE_BOT).await?;
        let mut note = pages::invoice(ctx, &id.to_string()).await?;
        note.text.push_str(&format!("\n\nAsked: {}", applied.in_words()));
        say(ctx, place, &note).await;
    }
    Ok(())
}

async fn ask(ctx: &AppContext, update: &Update, admin: &Admin, deed: &Deed, place: Place<'_>) -> Result<()> {
    let question = pages::question(ctx, deed).await?;
    if let Some(token) = confirmations::ask(ctx, update, admin, deed).await? {
        say(ctx, place, &pages::with_answers(question, deed, &token)).await;
    }
    Ok(())
}

async fn confirm(ctx: &AppContext, update: &Update, admin: &Admin, token: &str, place: Place<'_>) -> Result<()> {
    let outcome = confirmations::carry_out(ctx, update, admin, token).await?;
    if !matches!(outcome, Outcome::Repeated) {
        say(ctx, place, &pages::outcome(&outcome)).await;
    }
    Ok(())
}

/// After the commit: the deed is done, whether or not the words arrive.
async fn say(ctx: &AppContext, place: Place<'_>, note: &Note) {
    for attempt in 1..=TRIES {
        let Err(failure) = try_to_say(ctx, place, note).await else { return };
        let pause = match &failure {
            Failure::Busy(asked) => (*asked).min(LONGEST_PAUSE),
            Failure::Silent(_) => PAUSE,
            Failure::Conflict | Failure::Webhook | Failure::Token | Failure::Closed | Failure::Refused(_) => {
                return tracing::warn!(%failure, "an answer is not taken");
            }
        };
        tracing::warn!(%failure, attempt, "an answer waits");
        if attempt < TRIES {
            tokio::time::sleep(pause).await;
        }
    }
}

async fn try_to_say(ctx: &AppContext, place: Place<'_>, note: &Note) -> std::result::Result<(), Failure> {
    let parts = ctx.parts();
    let Some(telegram) = parts.telegram() else { return Ok(()) };
    match place {
        Place::Below { chat } => telegram.send(chat, note).await,
        Place::There { chat, message, query } => {
            // The clock on the button ends even if the message cannot be changed any more; one too old has none.
            if let Err(failure) = telegram.answer(query, "").await {
                tracing::debug!(%failure, "a press is too old to be answered");
            }
            match telegram.edit(chat, message, note).await {
                // Too old to be changed, or deleted by them.
                Err(Failure::Refused(_)) => telegram.send(chat, note).await,
                done => done,
            }
        }
    }
}
