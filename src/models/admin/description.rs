//! What a description of a resource is made of: columns, cells, sections, actions and their fields. Nothing here knows how
//! it is drawn.

use std::fmt;

use futures::future::BoxFuture;
use loco_rs::{Result, app::AppContext};
use sea_orm::prelude::DateTimeUtc;
use secrecy::SecretString;

use crate::models::{activities::Actor, catalogue::money, users::Role};

/// What a resource is called, and where it lies.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// `/admin/PATH`
    pub path: &'static str,
    pub title: &'static str,
    /// One of them, in a sentence.
    pub one: &'static str,
    /// One line on what is to be known.
    pub text: &'static str,
    pub icon: &'static str,
}

/// How a state is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Busy,
    Warning,
    Bad,
}

/// A value with what it is, so that a page, a card and a spreadsheet each show it in their way.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Nothing,
    Text(String),
    /// Ids, addresses: to be copied, not read.
    Code(String),
    Number(i64),
    /// In minor units.
    Money(i64, String),
    /// In millionths of a US dollar.
    Micros(i64),
    Moment(DateTimeUtc),
    State(String, Tone),
    /// Leads to another page of the admin.
    Link(String, String),
}

/// A column of a list.
pub struct Column<R> {
    /// In the head of a spreadsheet, and in addresses: it stays.
    pub name: &'static str,
    pub label: &'static str,
    pub cell: fn(&R) -> Cell,
    /// Only in the spreadsheet.
    pub is_extra: bool,
}

/// A part of the page about one row.
#[derive(Debug, Clone)]
pub struct Section {
    /// Unique on the page; links lead to it.
    pub name: &'static str,
    pub title: &'static str,
    pub text: String,
    pub body: Body,
    /// Leads to all of them.
    pub more: Option<(String, String)>,
}

#[derive(Debug, Clone)]
pub enum Body {
    Facts(Vec<(&'static str, Cell)>),
    Table {
        heads: Vec<&'static str>,
        rows: Vec<Vec<Cell>>,
        empty: &'static str,
    },
    /// As it was written.
    Verbatim(String),
    /// `(mime, bytes)` with what to say of them.
    Pictures(Vec<(String, Vec<u8>, String)>),
}

/// Something that can be done: to one row, to several, or (`R` is `()`) to bring a row about. Its address is a noun below
/// the row, or below the resource.
pub struct Action<R> {
    pub noun: &'static str,
    pub label: &'static str,
    pub icon: &'static str,
    /// What the page says once it is done.
    pub done: &'static str,
    /// Cannot be undone, or takes something from somebody.
    pub is_grave: bool,
    /// Has to be given in words, and stands in the audit log.
    pub asks_reason: bool,
    /// Also for several rows at once.
    pub is_bulk: bool,
    /// Sits at one row of a section, and is reached from there.
    pub is_inner: bool,
    /// Who may do it.
    pub least: Role,
    pub when: fn(&R) -> bool,
    /// What it brings about, in sentences.
    pub consequences: fn(&R) -> Vec<String>,
    pub fields: Option<FieldsOf<R>>,
    pub run: RunOf<R>,
}

/// The fields of an action's form. The input is what was sent, or what the link to the form says.
pub type FieldsOf<R> = for<'a> fn(&'a AppContext, &'a R, &'a Input) -> BoxFuture<'a, Result<Vec<Field>>>;

pub type RunOf<R> = for<'a> fn(Doing<'a, R>) -> BoxFuture<'a, Result<Outcome>>;

/// An action under way.
#[derive(Clone, Copy)]
pub struct Doing<'a, R> {
    pub ctx: &'a AppContext,
    pub row: &'a R,
    pub input: &'a Input,
    pub actor: &'a Actor,
}

/// What became of an action.
#[derive(Debug)]
pub enum Outcome {
    Done,
    /// Done, and this is what came of it.
    Told(String),
    /// Done: the row of this id is there now.
    Made(i64),
    /// Something to see once, and not in any address.
    Shown(Vec<Section>),
    /// Nothing was changed, and why.
    Refused(String),
    /// Nothing was changed: complaints, by field.
    Invalid(Vec<(&'static str, String)>),
}

/// A field of a form.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: Kind,
    pub value: String,
    pub hint: &'static str,
    pub is_optional: bool,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Line,
    Text,
    Number,
    /// Never shown again, also not to who has just typed it wrong.
    Secret,
    /// Several secrets, one a line.
    Secrets,
    /// `(value, label)`
    Choice(Vec<(String, String)>),
    /// Carried along.
    Hidden,
}

/// What a form sent. Its values may be secrets, so it shows none.
#[derive(Default, Clone)]
pub struct Input(Vec<(String, String)>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Input {
    #[must_use]
    pub const fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Empty when it was not sent.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim()).unwrap_or_default()
    }

    #[must_use]
    pub fn secret(&self, name: &str) -> SecretString {
        self.text(name).to_owned().into()
    }

    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name).parse().ok()
    }

    /// Why it is done.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.text("reason")
    }

    /// The rows that were chosen.
    #[must_use]
    pub fn ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> =
            self.0.iter().filter(|(name, _)| name == "id").filter_map(|(_, value)| value.parse().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Nothing } else { Self::Text(text) }
    }

    #[must_use]
    pub fn maybe(text: Option<&String>) -> Self {
        text.map_or(Self::Nothing, |text| Self::text(text.as_str()))
    }

    #[must_use]
    pub fn moment(at: Option<DateTimeUtc>) -> Self {
        at.map_or(Self::Nothing, Self::Moment)
    }

    #[must_use]
    pub fn number(number: Option<i64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }

    #[must_use]
    pub fn micros(micros: Option<i64>) -> Self {
        micros.map_or(Self::Nothing, Self::Micros)
    }

    pub fn link(text: impl Into<String>, url: impl Into<String>) -> Self {
        Self::Link(text.into(), url.into())
    }

    /// As a program reads it.
    #[must_use]
    pub fn plain(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) | Self::Code(text) | Self::State(text, _) | Self::Link(text, _) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Money(minor, currency) => money(*minor, currency),
            Self::Micros(micros) => dollars(*micros),
            Self::Moment(at) => at.to_rfc3339(),
        }
    }
}

/// `$12.50`, or more decimals where there is more to say.
#[must_use]
pub fn dollars(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let part = format!("{part:06}");
    let cents = part[2..].trim_end_matches('0').len() + 2;
    format!("{sign}${whole}.{}", &part[..cents])
}

impl<R> Column<R> {
    #[must_use]
    pub const fn new(name: &'static str, label: &'static str, cell: fn(&R) -> Cell) -> Self {
        Self { name, label, cell, is_extra: false }
    }

    #[must_use]
    pub const fn extra(name: &'static str, label: &'static str, cell: fn(&R) -> Cell) -> Self {
        Self { name, label, cell, is_extra: true }
    }
}

impl Section {
    #[must_use]
    pub const fn facts(name: &'static str, title: &'static str, facts: Vec<(&'static str, Cell)>) -> Self {
        Self { name, title, text: String::new(), body: Body::Facts(facts), more: None }
    }

    #[must_use]
    pub const fn table(
        name: &'static str,
        title: &'static str,
        heads: Vec<&'static str>,
        rows: Vec<Vec<Cell>>,
        empty: &'static str,
    ) -> Self {
        Self { name, title, text: String::new(), body: Body::Table { heads, rows, empty }, more: None }
    }

    #[must_use]
    pub const fn verbatim(name: &'static str, title: &'static str, text: String) -> Self {
        Self { name, title, text: String::new(), body: Body::Verbatim(text), more: None }
    }

    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    #[must_use]
    pub fn leading_to(mut self, label: impl Into<String>, url: impl Into<String>) -> Self {
        self.more = Some((label.into(), url.into()));
        self
    }
}

impl<R> Action<R> {
    /// Done at once, by its button.
    #[must_use]
    pub const fn new(noun: &'static str, label: &'static str, icon: &'static str, run: RunOf<R>) -> Self {
        Self {
            noun,
            label,
            icon,
            done: "Done.",
            is_grave: false,
            asks_reason: false,
            is_bulk: false,
            is_inner: false,
            least: Role::Admin,
            when: |_| true,
            consequences: |_| Vec::new(),
            fields: None,
            run,
        }
    }

    #[must_use]
    pub const fn done(mut self, text: &'static str) -> Self {
        self.done = text;
        self
    }

    #[must_use]
    pub const fn when(mut self, when: fn(&R) -> bool) -> Self {
        self.when = when;
        self
    }

    #[must_use]
    pub const fn bulk(mut self) -> Self {
        self.is_bulk = true;
        self
    }

    #[must_use]
    pub const fn inner(mut self) -> Self {
        self.is_inner = true;
        self
    }

    /// Only owners do it.
    #[must_use]
    pub const fn for_owners(mut self) -> Self {
        self.least = Role::Owner;
        self
    }

    /// Has a page of its own that says what follows and asks why.
    #[must_use]
    pub const fn grave(mut self, consequences: fn(&R) -> Vec<String>) -> Self {
        self.is_grave = true;
        self.asks_reason = true;
        self.consequences = consequences;
        self
    }

    /// Says what follows.
    #[must_use]
    pub const fn following(mut self, consequences: fn(&R) -> Vec<String>) -> Self {
        self.consequences = consequences;
        self
    }

    #[must_use]
    pub const fn asking_why(mut self) -> Self {
        self.asks_reason = true;
        self
    }

    #[must_use]
    pub const fn with(mut self, fields: FieldsOf<R>) -> Self {
        self.fields = Some(fields);
        self
    }

    /// Not done by a button alone.
    #[must_use]
    pub const fn has_page(&self) -> bool {
        self.is_grave || self.asks_reason || self.fields.is_some()
    }
}

impl Field {
    #[must_use]
    pub const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self { name, label, kind, value: String::new(), hint: "", is_optional: false }
    }

    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Secrets)
    }
}

impl Outcome {
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    pub fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid(vec![(field, why.into())])
    }
}
