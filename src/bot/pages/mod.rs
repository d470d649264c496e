//! What the bot shows: plain words, never markup, each page within one message.

mod deeds;
mod keys;
mod money;
mod people;
mod status;
mod words;

pub(super) use deeds::{outcome, question, with_answers};
pub(super) use keys::{balances, key, keys, no_key, tested};
pub(super) use money::{find_invoice, invoice, no_invoice};
pub(super) use people::user;
pub(super) use status::status;
pub(super) use words::{help, outdated, unknown};
