//! Caught mail.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use mailparse::{MailHeaderMap, ParsedMail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::host::lock;

/// Mails remembered; older ones are forgotten.
const KEPT_MAILS: usize = 500;

/// How the mail server fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpFault {
    /// 421 instead of a greeting, then the connection is closed.
    Refuse421,
    /// 550 to every recipient.
    Reject550,
    /// Accepts the connection and never says a word.
    Hang,
    /// Takes the whole message, closes the connection without an answer and keeps nothing.
    Drop,
    /// The same, but the message is kept: whoever sent it cannot know.
    Unsaid,
}

impl SmtpFault {
    pub(crate) const ALL: [Self; 5] = [Self::Refuse421, Self::Reject550, Self::Hang, Self::Drop, Self::Unsaid];

    /// The name used in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refuse421 => "refuse421",
            Self::Reject550 => "reject550",
            Self::Hang => "hang",
            Self::Drop => "drop",
            Self::Unsaid => "unsaid",
        }
    }
}

/// The caught mail. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct MailBox(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    mails: VecDeque<Mail>,
    arrived: u64,
    fault: Option<SmtpFault>,
}

impl MailBox {
    /// The newest 500 mails, in order of arrival.
    pub fn messages(&self) -> Vec<Mail> {
        lock(&self.0).mails.iter().cloned().collect()
    }

    /// The mails that were sent to `address`, in whatever case.
    pub fn to(&self, address: &str) -> Vec<Mail> {
        let wanted = |mail: &&Mail| mail.to.iter().any(|to| to.eq_ignore_ascii_case(address));
        lock(&self.0).mails.iter().filter(wanted).cloned().collect()
    }

    /// Waits for a mail to `address`: the newest one there is, or the first to come in time.
    pub async fn wait_for(&self, address: &str, patience: Duration) -> Option<Mail> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(mail) = self.to(address).pop() {
                return Some(mail);
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Forgets all mail.
    pub fn clear(&self) {
        lock(&self.0).mails.clear();
    }

    /// Makes the server fail from the next connection on; `None` heals it.
    pub fn fail(&self, fault: Option<SmtpFault>) {
        lock(&self.0).fault = fault;
    }

    /// The fault that is set.
    pub fn fault(&self) -> Option<SmtpFault> {
        lock(&self.0).fault
    }

    pub(crate) fn one(&self, id: u64) -> Option<Mail> {
        lock(&self.0).mails.iter().find(|mail| mail.id == id).cloned()
    }

    pub(super) fn receive(&self, from: String, to: Vec<String>, raw: Bytes) -> u64 {
        let mut mail = Mail::read(from, to, raw);
        let mut state = lock(&self.0);
        state.arrived += 1;
        mail.id = state.arrived;
        state.mails.push_back(mail);
        if state.mails.len() > KEPT_MAILS {
            state.mails.pop_front();
        }
        state.arrived
    }
}

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Counts up from 1 and is never reused.
    pub id: u64,
    pub at: DateTime<Utc>,
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    pub subject: String,
    /// The first plain text part; empty when there is none.
    pub text: String,
    /// The first HTML part; empty when there is none.
    pub html: String,
    /// Everything between `DATA` and the dot.
    pub raw: Bytes,
    pub message_id: String,
}

impl Mail {
    fn read(from: String, to: Vec<String>, raw: Bytes) -> Self {
        let mut mail = Self {
            id: 0,
            at: Utc::now(),
            from,
            to,
            subject: String::new(),
            text: String::new(),
            html: String::new(),
            raw,
            message_id: String::new(),
        };
        match mailparse::parse_mail(&mail.raw.clone()) {
            Ok(parsed) => {
                let header = |name: &str| parsed.headers.get_first_value(name).unwrap_or_default();
                mail.subject = header("Subject");
                mail.message_id = header("Message-ID").trim_matches(['<', '>', ' ']).to_owned();
                mail.text = part(&parsed, "text/plain").unwrap_or_default();
                mail.html = part(&parsed, "text/html").unwrap_or_default();
            }
            // A mail that cannot be read is still shown, as it is.
            Err(error) => {
                tracing::warn!(%error, "sandbox got a mail it cannot parse");
                mail.text = String::from_utf8_lossy(&mail.raw).into_owned();
            }
        }
        mail
    }

    /// All links, those of the text first, each once.
    pub fn links(&self) -> Vec<String> {
        let html = self.html.replace("&amp;", "&");
        let mut links: Vec<String> = Vec::new();
        for (_, link) in find_links(&self.text).into_iter().chain(find_links(&html)) {
            if !links.contains(&link) {
                links.push(link);
            }
        }
        links
    }

    /// The mail for the control interface.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id, "at": self.at, "from": self.from, "to": self.to, "subject": self.subject,
            "text": self.text, "html": self.html, "message_id": self.message_id, "links": self.links(),
            "size": self.raw.len(),
        })
    }
}

/// The links in a text, with where each begins.
pub(crate) fn find_links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("http").map(|at| at + from) {
        let rest = &text[at..];
        if !(rest.starts_with("http://") || rest.starts_with("https://")) {
            from = at + 4;
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || "<>\"'`{}|\\^".contains(c)).unwrap_or(rest.len());
        // Punctuation after a link belongs to the sentence.
        let link = rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']']);
        from = at + end.max(4);
        if link.len() > "https://".len() {
            found.push((at, link.to_owned()));
        }
    }
    found
}

fn part(of: &ParsedMail<'_>, mime: &str) -> Option<String> {
    if of.subparts.is_empty() {
        let wanted = of.ctype.mimetype.eq_ignore_ascii_case(mime);
        return wanted.then(|| of.get_body().ok()).flatten();
    }
    of.subparts.iter().find_map(|sub| part(sub, mime))
}
