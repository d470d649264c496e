//! The list of conversations.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::models::conversations::Model;

#[derive(Debug, Serialize)]
pub struct ConversationView {
    pub pid: String,
    pub title: String,
    pub url: String,
    pub current: bool,
    pub updated_words: String,
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
