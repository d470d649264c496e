//! What can be done, and what came of it.

use futures::future::BoxFuture;
use loco_rs::{Result, app::AppContext};

use super::{
    cell::Section,
    form::{Field, Input},
};
use crate::models::{activities::Actor, users::Role};

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
    /// Cannot be undone: who does it types what the row is called, or how many rows there are.
    pub is_final: bool,
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
pub struct Doing<'a, R> {
    pub ctx: &'a AppContext,
    pub row: &'a R,
    pub input: &'a Input,
    pub actor: &'a Actor,
}

impl<R> Clone for Doing<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Doing<'_, R> {}

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
            is_final: false,
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

    /// Takes more than a click: its name has to be typed.
    #[must_use]
    pub const fn for_good(mut self) -> Self {
        self.is_final = true;
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
        self.is_grave || self.is_final || self.asks_reason || self.fields.is_some()
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
