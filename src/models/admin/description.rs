//! What a description of a resource is made of: columns, cells, sections, actions and their fields. Nothing here knows how
//! it is drawn.

mod action;
mod cell;
mod form;

pub use action::{Action, Doing, FieldsOf, Outcome, RunOf};
pub use cell::{Body, Cell, Column, Section, Tone};
pub use form::{Field, Input, Kind};

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
