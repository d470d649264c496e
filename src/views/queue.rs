//! The queue: what is waited for with its place and what can be expected, and what came of the last wishes.

use chrono::{DateTime, Utc};
use loco_rs::Result;
use serde::Serialize;

use super::{
    assets::alt,
    conversations,
    runs::{expect_words, place, place_words},
    turns::facts,
};
use crate::models::{
    catalogue::Catalogue,
    conversations as threads, generations,
    runs::{Model, Pace, State},
};

/// One run with all that is known about it.
#[derive(Debug)]
pub struct Entry {
    pub run: Model,
    pub generation: generations::Model,
    pub conversation: threads::Model,
    /// Waiting runs before it, of everybody.
    pub ahead: u64,
    pub pace: Option<Pace>,
}

#[derive(Debug, Serialize)]
pub struct QueueView {
    pub ptag: String,
    pub is_live: bool,
    pub waiting: Vec<EntryView>,
    pub over: Vec<EntryView>,
}

#[derive(Debug, Serialize)]
pub struct EntryView {
    pub id: String,
    pub url: String,
    pub prompt: String,
    pub facts: Vec<String>,
    pub state_words: String,
    pub expect_words: String,
    /// RFC 3339; empty once it is over.
    pub since: String,
    pub at: String,
    pub is_running: bool,
    pub done: i64,
    pub all: i64,
    pub cancel_url: String,
}

/// Moves with everything that the page shows, but for the seconds.
#[must_use]
pub fn ptag(entries: &[Entry], now: DateTime<Utc>) -> String {
    let parts = entries.iter().map(|entry| {
        let late = u8::from(!entry.run.is_final() && (now - entry.run.created_at).num_seconds() > 30);
        format!("{}.{}.{}.{late}", entry.run.id, entry.run.version, place(entry.ahead).unwrap_or_default())
    });
    parts.collect::<Vec<_>>().join("-")
}

/// # Errors
/// A row was changed by hand.
pub fn view(entries: &[Entry], catalogue: &Catalogue, now: DateTime<Utc>, ptag: String) -> Result<QueueView> {
    let (mut waiting, mut over) = (Vec::new(), Vec::new());
    for entry in entries {
        let view = entry_view(entry, catalogue, now)?;
        if entry.run.is_final() { over.push(view) } else { waiting.push(view) }
    }
    Ok(QueueView { ptag, is_live: !waiting.is_empty(), waiting, over })
}

fn entry_view(entry: &Entry, catalogue: &Catalogue, now: DateTime<Utc>) -> Result<EntryView> {
    let Entry { run, generation, conversation, ahead, pace } = entry;
    let is_final = run.is_final();
    let model = catalogue.model(&generation.model).map_or(generation.model.clone(), |model| model.name.clone());
    Ok(EntryView {
        id: format!("queued-{}", run.pid),
        url: format!("{}#turn-{}", conversations::url(conversation), generation.pid),
        prompt: alt(&generation.prompt),
        facts: std::iter::once(model).chain(facts(&generation.params()?)).collect(),
        state_words: state_words(run, *ahead),
        expect_words: if is_final { String::new() } else { expect_words(*pace, now - run.created_at) },
        since: if is_final { String::new() } else { run.created_at.to_rfc3339() },
        at: run.created_at.to_rfc3339(),
        is_running: run.state() == State::Running,
        done: run.outputs_delivered,
        all: run.outputs_requested,
        cancel_url: if is_final { String::new() } else { format!("/app/runs/{}/cancellation", run.pid) },
    })
}

fn state_words(run: &Model, ahead: u64) -> String {
    let (done, all) = (run.outputs_delivered, run.outputs_requested);
    match run.state() {
        State::Queued => place_words(ahead),
        State::Running if all == 1 => "Working".into(),
        State::Running => format!("{done} of {all} ready"),
        State::Succeeded if done == all => "Ready".into(),
        State::Canceled if done == 0 => "Canceled, not charged".into(),
        State::Succeeded | State::Failed | State::Canceled if done > 0 => format!("{done} of {all} came"),
        State::Succeeded | State::Failed | State::Canceled => "No picture came, not charged".into(),
    }
}
