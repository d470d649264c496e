//! Values, and the columns and sections that show them.

use sea_orm::prelude::DateTimeUtc;

use crate::models::{catalogue::money, provider_keys::balance::dollars};

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
    /// Leads to the page of an action: there for those who may do it.
    Deed(&'static str, String),
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
            Self::Deed(text, _) => (*text).to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Money(minor, currency) => money(*minor, currency),
            Self::Micros(micros) => dollars(*micros),
            Self::Moment(at) => at.to_rfc3339(),
        }
    }
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
