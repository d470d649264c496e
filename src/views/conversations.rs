//! The list of conversations.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::assets::thumb_url_of;
use crate::models::conversations::{Found, Listed, Model, NAME_MAX, Shelf, UNDO};

/// How much of a prompt is shown where its words were searched for.
const EXCERPT_CHARS: usize = 120;

/// So much of it, in bytes, stands before them.
const LEAD: usize = 24;

#[derive(Debug, Serialize)]
pub struct ConversationView {
    pub pid: String,
    pub title: String,
    pub url: String,
    /// Where a press leads: to the turn that was searched for, or to the conversation.
    pub open_url: String,
    /// The prompt that was searched for, around the words; empty when only the title has them.
    pub found_words: String,
    /// Empty when there is no picture.
    pub cover_url: String,
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

/// A conversation that was deleted a moment ago.
#[derive(Debug, Serialize)]
pub struct DeletedView {
    /// Empty when it is too late.
    pub restore_url: String,
    pub undo_seconds: i64,
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
    let conversations = listed.conversations.iter().map(|conversation| view(listed, conversation, words, current, now));
    let conversations = conversations.collect();
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
        conversations,
        older_url: listed.older.map(|before| format!("/app/history?{shelf}{words}before={before}")).unwrap_or_default(),
    }
}

#[must_use]
pub fn url(conversation: &Model) -> String {
    format!("/app/conversations/{}", conversation.pid)
}

fn view(
    listed: &Listed,
    conversation: &Model,
    words: &str,
    current: Option<&Model>,
    now: DateTime<Utc>,
) -> ConversationView {
    let url = url(conversation);
    let found = listed.found.get(&conversation.id);
    ConversationView {
        pid: conversation.pid.to_string(),
        title: conversation.title.clone(),
        open_url: found.map_or_else(|| url.clone(), |found| turn_url(&url, found)),
        found_words: found.map(|found| excerpt(&found.prompt, words)).unwrap_or_default(),
        cover_url: listed.covers.get(&conversation.id).map(|pid| thumb_url_of(*pid)).unwrap_or_default(),
        url,
        current: current.is_some_and(|c| c.id == conversation.id),
        updated_words: ago(conversation.updated_at, now),
    }
}

fn turn_url(conversation_url: &str, found: &Found) -> String {
    let before = found.before.map(|before| format!("?before={before}")).unwrap_or_default();
    format!("{conversation_url}{before}#turn-{}", found.turn)
}

/// The prompt around the first place where it has these words, however they are written there.
fn excerpt(prompt: &str, words: &str) -> String {
    let has = |text: &str| {
        let mut text = text.chars().flat_map(char::to_lowercase);
        words.trim().chars().flat_map(char::to_lowercase).all(|c| text.next() == Some(c))
    };
    let at = prompt.char_indices().map(|(at, _)| at).find(|at| has(&prompt[*at..])).unwrap_or(0);
    let start = if at <= LEAD {
        0
    } else {
        let begins = prompt[..at].rmatch_indices(char::is_whitespace).map(|(space, it)| space + it.len());
        begins.take_while(|begin| at - begin <= LEAD).last().unwrap_or(at)
    };
    let rest = prompt[start..].split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = rest.chars().take(EXCERPT_CHARS).collect();
    let (before, after) = (if start > 0 { "…" } else { "" }, if shown.len() < rest.len() { "…" } else { "" });
    format!("{before}{shown}{after}")
}

/// `None` when it is not deleted.
#[must_use]
pub fn deleted(conversation: &Model, now: DateTime<Utc>) -> Option<DeletedView> {
    conversation.deleted_at?;
    let restore_url =
        if conversation.is_retrievable(now) { format!("{}/restoration", url(conversation)) } else { String::new() };
    Some(DeletedView { restore_url, undo_seconds: UNDO.num_seconds() })
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

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn an_excerpt_holds_the_words() {
        assert_eq!(excerpt("a Lighthouse\n at dusk", " light"), "a Lighthouse at dusk");
        let far = format!("{} über den Ærø  and back", "word ".repeat(40));
        assert_eq!(excerpt(&far, "ÆRØ"), "…word word über den Ærø and back");
        let long = format!("{}boat{}", "x".repeat(60), "y".repeat(200));
        assert_eq!(excerpt(&long, "boat"), format!("…boat{}…", "y".repeat(116)));
        assert_eq!(excerpt("nothing of it", "boat"), "nothing of it");
    }
}
