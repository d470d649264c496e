//! The page of an action, and what became of one that several rows had.

use serde::Serialize;

use super::{AboutView, OptionView, about_view, list_url, option, row_url, url};
use crate::models::{
    admin::{
        self,
        description::{About, Field, Input, Kind, Outcome},
        resource::{Asked, Describe, Done},
    },
    users,
};

/// Rows that a page calls by their names; of the others it says how many they are.
const NAMED: usize = 50;

#[derive(Debug, Serialize)]
pub struct FieldView {
    pub name: &'static str,
    pub label: String,
    /// `line`, `text`, `number`, `secret`, `secrets`, `choice`, `hidden`
    pub kind: &'static str,
    pub value: String,
    pub hint: &'static str,
    pub error: String,
    pub is_optional: bool,
    pub options: Vec<OptionView>,
}

#[derive(Debug, Serialize)]
pub struct AskedView {
    pub about: AboutView,
    pub title: String,
    pub label: &'static str,
    pub icon: &'static str,
    pub is_grave: bool,
    pub action: String,
    pub back: String,
    /// Only when there are several, and the first of them; how many there are besides.
    pub rows: Vec<String>,
    pub more_rows: usize,
    pub left_out: Vec<String>,
    pub more_left_out: usize,
    pub ids: Vec<i64>,
    /// Names the action where the address does not.
    pub noun: &'static str,
    /// The list that they were chosen from, to come back to.
    pub wish: String,
    pub consequences: Vec<String>,
    pub fields: Vec<FieldView>,
    pub alert: String,
}

#[derive(Debug, Serialize)]
pub struct DoneView {
    pub name: String,
    pub url: String,
    pub text: String,
    pub is_fine: bool,
}

/// Where the form of an action is sent to, and who sent it last.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    pub input: &'a Input,
    pub complaints: &'a [(&'static str, String)],
}

/// The page of an action for one row, for several, or for a row that is not there yet.
#[must_use]
pub fn asked(about: &About, asked: Asked, sent: Sent<'_>) -> AskedView {
    let Asked { button, rows, left_out, consequences, fields, asks_reason, typed } = asked;
    let complaint = |name: &str| {
        let complaint = sent.complaints.iter().find(|(field, _)| *field == name);
        complaint.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let mut fields: Vec<FieldView> = fields.into_iter().map(|it| field(it, sent.input, &complaint)).collect();
    if asks_reason {
        fields.push(why(sent.input.reason(), complaint("reason")));
    }
    if let Some(typed) = typed {
        let label = if rows.len() > 1 { format!("Type {typed}, the number of them") } else { format!("Type {typed}") };
        fields.push(FieldView {
            name: "confirm",
            label,
            hint: "This cannot be undone.",
            ..why(sent.input.text("confirm"), complaint("confirm"))
        });
    }
    let wish = sent.input.text("wish");
    let (title, action, back) = match rows.as_slice() {
        [] => (button.label.to_owned(), format!("{}/{}", url(about), button.noun), url(about)),
        [(id, name)] => {
            let row_url = row_url(about, *id);
            (format!("{}: {name}", button.label), format!("{row_url}/{}", button.noun), row_url)
        }
        many => {
            (format!("{}: {} rows", button.label, many.len()), format!("{}/batch", url(about)), list_url(about, wish))
        }
    };
    let is_batch = rows.len() > 1;
    let known = |name: &str| fields.iter().any(|field| field.name == name && field.kind != "hidden");
    AskedView {
        about: about_view(about),
        title,
        label: button.label,
        icon: button.icon,
        is_grave: button.is_grave,
        action,
        back,
        alert: sent
            .complaints
            .iter()
            .filter(|(name, _)| !known(name))
            .map(|(_, text)| text.clone())
            .collect::<Vec<_>>()
            .join(" "),
        ids: if is_batch { rows.iter().map(|(id, _)| *id).collect() } else { Vec::new() },
        noun: if is_batch { button.noun } else { "" },
        wish: if is_batch { wish.to_owned() } else { String::new() },
        more_rows: rows.len().saturating_sub(NAMED),
        rows: if is_batch { rows.into_iter().map(|(_, name)| name).take(NAMED).collect() } else { Vec::new() },
        more_left_out: left_out.len().saturating_sub(NAMED),
        left_out: left_out.into_iter().map(|(_, name)| name).take(NAMED).collect(),
        consequences,
        fields,
    }
}

fn why(said: &str, error: String) -> FieldView {
    FieldView {
        name: "reason",
        label: "Why".into(),
        kind: "line",
        value: said.to_owned(),
        hint: "Stands in the audit log, for good.",
        error,
        is_optional: false,
        options: Vec::new(),
    }
}

fn field(field: Field, input: &Input, complaint: &impl Fn(&str) -> String) -> FieldView {
    let said = input.text(field.name);
    let value = match (field.is_secret(), said.is_empty()) {
        (true, _) => String::new(),
        (false, true) => field.value,
        (false, false) => said.to_owned(),
    };
    let (kind, options) = match field.kind {
        Kind::Line => ("line", Vec::new()),
        Kind::Text => ("text", Vec::new()),
        Kind::Number => ("number", Vec::new()),
        Kind::Secret => ("secret", Vec::new()),
        Kind::Secrets => ("secrets", Vec::new()),
        Kind::Hidden => ("hidden", Vec::new()),
        Kind::Choice(options) => {
            ("choice", options.iter().map(|(it, label)| option(it, label, *it == value)).collect())
        }
    };
    FieldView {
        name: field.name,
        label: field.label.to_owned(),
        kind,
        value,
        hint: field.hint,
        error: complaint(field.name),
        is_optional: field.is_optional,
        options,
    }
}

/// The page that asks why somebody is to be looked at.
#[must_use]
pub fn view_as(person: &users::Model, complaint: &str) -> AskedView {
    let about = Describe::about(&admin::users::Users);
    let back = row_url(&about, person.id);
    AskedView {
        about: about_view(&about),
        title: format!("See what {} sees", person.email()),
        label: "Look",
        icon: "user",
        is_grave: false,
        action: format!("{back}/view"),
        back,
        rows: Vec::new(),
        more_rows: 0,
        left_out: Vec::new(),
        more_left_out: 0,
        ids: Vec::new(),
        noun: "",
        wish: String::new(),
        consequences: vec![
            "For a quarter of an hour your studio is theirs, with what they wrote and made.".into(),
            "Nothing can be changed meanwhile.".into(),
            "That you looked, and why, stands in the audit log.".into(),
        ],
        fields: vec![why("", complaint.to_owned())],
        alert: String::new(),
    }
}

/// What became of an action on several rows.
#[must_use]
pub fn done(about: &About, done: &[Done], said: &str) -> Vec<DoneView> {
    let view = |it: &Done| {
        let (text, is_fine) = match &it.outcome {
            Outcome::Done | Outcome::Made(_) | Outcome::Shown(_) => (said.to_owned(), true),
            Outcome::Told(text) => (text.clone(), true),
            Outcome::Refused(why) => (why.clone(), false),
            Outcome::Invalid(complaints) => {
                (complaints.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>().join(" "), false)
            }
        };
        DoneView { name: it.name.clone(), url: row_url(about, it.id), text, is_fine }
    };
    done.iter().map(view).collect()
}
