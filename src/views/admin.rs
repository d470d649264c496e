//! The pages of the admin, for every resource alike: what a description says → what the templates show.

mod asked;
mod list;
pub mod sheet;
mod shown;

use serde::Serialize;

use super::billing::moment;
use crate::models::{
    admin::{
        self,
        description::{About, Cell, Tone},
        resource::Button,
    },
    catalogue::money,
    provider_keys::balance::dollars,
    users::viewing::Viewing,
};

pub use asked::{Sent, asked, done, view_as};
pub use list::{asked_for, list, list_url};
pub use shown::{sections, shown};

#[derive(Debug, Clone, Default, Serialize)]
pub struct CellView {
    /// `none`, `text`, `code`, `number`, `time`, `state`, `link`
    pub kind: &'static str,
    pub text: String,
    pub url: String,
    pub tone: &'static str,
    /// The moment, for the reader's own clock.
    pub at: String,
    /// The head of its column: what a card says in front of it.
    pub label: &'static str,
}

#[derive(Debug, Serialize)]
pub struct AboutView {
    pub title: &'static str,
    pub one: &'static str,
    pub text: &'static str,
    pub icon: &'static str,
    pub url: String,
}

#[derive(Debug, Serialize)]
pub struct LinkView {
    pub label: String,
    pub url: String,
    pub icon: &'static str,
    pub count: String,
    pub current: bool,
    pub is_grave: bool,
    /// A page of its own; otherwise the button does it.
    pub has_page: bool,
}

#[derive(Debug, Serialize)]
pub struct OptionView {
    pub value: String,
    pub label: String,
    pub selected: bool,
}

#[derive(Debug, Serialize)]
pub struct ViewingView {
    pub email: String,
    pub until: String,
}

/// The banner over the pages of somebody whom an admin looks at.
#[must_use]
pub fn viewing(viewing: &Viewing) -> ViewingView {
    ViewingView { email: viewing.person.email().to_owned(), until: viewing.until.format("%H:%M UTC").to_string() }
}

/// Every resource, for the menu.
#[must_use]
pub fn menu() -> Vec<LinkView> {
    let entry = |about: About| link(about.title.to_owned(), url(&about), about.icon);
    admin::ALL.iter().map(|resource| entry(resource.about())).collect()
}

#[must_use]
pub fn url(about: &About) -> String {
    format!("/admin/{}", about.path)
}

#[must_use]
pub fn row_url(about: &About, id: i64) -> String {
    format!("/admin/{}/{id}", about.path)
}

fn about_view(about: &About) -> AboutView {
    let About { title, one, text, icon, .. } = *about;
    AboutView { title, one, text, icon, url: url(about) }
}

fn link(label: String, url: String, icon: &'static str) -> LinkView {
    LinkView { label, url, icon, count: String::new(), current: false, is_grave: false, has_page: true }
}

fn button(button: &Button, base: &str) -> LinkView {
    LinkView {
        is_grave: button.is_grave,
        has_page: button.has_page,
        ..link(button.label.to_owned(), format!("{base}/{}", button.noun), button.icon)
    }
}

fn option(value: &str, label: &str, selected: bool) -> OptionView {
    OptionView { value: value.to_owned(), label: label.to_owned(), selected }
}

fn cell_view(cell: &Cell) -> CellView {
    let view = |kind, text: &str| CellView { kind, text: text.to_owned(), ..CellView::default() };
    match cell {
        Cell::Nothing => view("none", ""),
        Cell::Text(text) => view("text", text),
        Cell::Code(text) => view("code", text),
        Cell::Number(number) => view("number", &number.to_string()),
        Cell::Money(minor, currency) => view("number", &money(*minor, currency)),
        Cell::Micros(micros) => view("number", &dollars(*micros)),
        Cell::Moment(at) => CellView { at: at.to_rfc3339(), ..view("time", &moment(*at)) },
        Cell::State(word, tone) => CellView { tone: tone_of(*tone), ..view("state", word) },
        Cell::Link(text, url) => CellView { url: url.clone(), ..view("link", text) },
        Cell::Deed(text, url) => CellView { url: url.clone(), ..view("link", text) },
    }
}

const fn tone_of(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Good => "success",
        Tone::Busy => "info",
        Tone::Warning => "warning",
        Tone::Bad => "error",
    }
}
