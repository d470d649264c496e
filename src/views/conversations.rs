//! The list of conversations.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::models::conversations::{Listed, Model, NAME_MAX, Shelf};

#[derive(Debug, Serialize)]
pub struct ConversationView {
    pub pid: String,
    pub title: String,
    pub url: String,
    pub current: bool,
    pub updated_words: String,
}

/// A conversation with what can be done to it.
#[derive(Debug, Serialize)]
pub struct HeadView {
    pub pid: String,
    pub title: String,
    pub url: String,
    pub is_archived: bool,
    pub name_max: usize,
    /// What is wrong with the name that was sent, and that name.
    pub name_error: String,
    pub name: String,
}

/// More of the list.
#[derive(Debug, Serialize)]
pub struct ListView {
    pub conversations: Vec<ConversationView>,
    /// Where it goes on; empty at the end.
    pub older_url: String,
    /// Where it begins.
    pub newest_url: String,
}

#[must_use]
pub fn head(conversation: &Model) -> HeadView {
    HeadView {
        pid: conversation.pid.to_string(),
        title: conversation.title.clone(),
        url: url(conversation),
        is_archived: conversation.is_archived(),
        name_max: NAME_MAX,
        name_error: String::new(),
        name: conversation.title.clone(),
    }
}

#[must_use]
pub fn list(listed: &Listed, shelf: Shelf, words: &str, current: Option<&Model>, now: DateTime<Utc>) -> ListView {
    let shelf = match shelf {
        Shelf::Current => "",
        Shelf::Archived => "shelf=archived&",
    };
    let words = match words.trim() {
        "" => String::new(),
        words => format!("q={}&", url::form_urlencoded::byte_serialize(words.as_bytes()).collect::<String>()),
    };
    ListView {
        newest_url: format!("/app/history?{shelf}{words}").trim_end_matches(['?', '&']).to_owned(),
        conversations: listed.conversations.iter().map(|conversation| view(conversation, current, now)).collect(),
        older_url: listed.older.map(|before| format!("/app/history?{shelf}{words}before={before}")).unwrap_or_default(),
    }
}

#[must_use]
pub fn url(conversation: &Model) -> String {
    format!("/app/conversations/{}", conversation.pid)
}

#[must_use]
pub fn view(conversation: &Model, current: Option<&Model>, now: DateTime<Utc>) -> ConversationView {
    ConversationView {
        pid: conversation.pid.to_string(),
        title: conversation.title.clone(),
        url: url(conversation),
        current: current.is_some_and(|c| c.id == conversation.id),
        updated_words: ago(conversation.updated_at, now),
    }
}

#[must_use]
pub fn pictures_words(count: u64) -> String {
    match count {
        0 => "no pictures".into(),
        1 => "one picture".into(),
        n => format!("{n} pictures"),
    }
}

fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let past = now - at;
    match (past.num_days(), past.num_hours(), past.num_minutes()) {
        (0, 0, 0) => "just now".into(),
        (0, 0, 1) => "a minute ago".into(),
        (0, 0, minutes) => format!("{minutes} minutes ago"),
        (0, 1, _) => "an hour ago".into(),
        (0, hours, _) => format!("{hours} hours ago"),
        (1, ..) => "yesterday".into(),
        (days, ..) if days < 7 => format!("{days} days ago"),
        _ => at.format("%-d %b %Y").to_string(),
    }
}
