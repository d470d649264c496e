//! The pages of the admin, for every resource alike: what a description says → what the templates show.

pub mod sheet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use url::form_urlencoded::Serializer;

use super::billing::moment;
use crate::models::{
    admin::{
        self,
        description::{About, Body, Cell, Field, Input, Kind, Section, Tone, dollars},
        resource::{Asked, Button, Controls, Describe, Done, Line, Shown, Table},
    },
    catalogue::money,
    listing::{Count, Wish},
    users::{self, viewing::Viewing},
};

/// Keys of the address that are not the wish of a list.
const PAGE: &str = "after";

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
pub struct SelectView {
    pub name: String,
    pub label: &'static str,
    pub options: Vec<OptionView>,
}

#[derive(Debug, Serialize)]
pub struct RowView {
    pub id: i64,
    pub name: String,
    pub cells: Vec<CellView>,
    pub buttons: Vec<LinkView>,
}

#[derive(Debug, Serialize)]
pub struct ListView {
    pub about: AboutView,
    pub heads: Vec<&'static str>,
    pub rows: Vec<RowView>,
    pub q: String,
    pub search_hint: String,
    pub scopes: Vec<LinkView>,
    pub selects: Vec<SelectView>,
    /// What the address asks for and no control of the page shows: each leads to the list without it.
    pub chips: Vec<LinkView>,
    /// The rest of the address, for the form that searches.
    pub kept: Vec<(String, String)>,
    pub creations: Vec<LinkView>,
    pub bulk: Vec<OptionView>,
    pub first_url: String,
    pub next_url: String,
    pub sheet_url: String,
    /// To the list as nobody has narrowed it; empty when it is that.
    pub clear_url: String,
}

#[derive(Debug, Serialize)]
pub struct SectionView {
    pub name: &'static str,
    pub title: &'static str,
    pub text: String,
    /// `facts`, `table`, `verbatim`, `pictures`
    pub kind: &'static str,
    pub facts: Vec<CellView>,
    pub heads: Vec<&'static str>,
    pub rows: Vec<Vec<CellView>>,
    pub empty: &'static str,
    pub verbatim: String,
    pub pictures: Vec<PictureView>,
    pub more: Option<LinkView>,
}

#[derive(Debug, Serialize)]
pub struct PictureView {
    /// In the page itself: it has no address.
    pub data: String,
    pub words: String,
}

#[derive(Debug, Serialize)]
pub struct ShownView {
    pub about: AboutView,
    pub name: String,
    pub url: String,
    pub sections: Vec<SectionView>,
    pub buttons: Vec<LinkView>,
}

#[derive(Debug, Serialize)]
pub struct FieldView {
    pub name: &'static str,
    pub label: &'static str,
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
    /// Only when there are several.
    pub rows: Vec<String>,
    pub left_out: Vec<String>,
    pub ids: Vec<i64>,
    /// Names the action where the address does not.
    pub noun: &'static str,
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

#[must_use]
pub fn list(
    about: &About,
    heads: &[(&'static str, &'static str)],
    controls: &Controls,
    table: Table,
    wish: &Wish,
) -> ListView {
    let at = |wish: &Wish| address(&url(about), wish);
    let first = Wish { after: String::new(), ..wish.clone() };
    let heads: Vec<&'static str> = heads.iter().map(|(_, label)| *label).collect();
    let free = controls.filters.iter().filter(|(_, _, options)| options.is_empty());
    let chips = free.filter_map(|(name, label, _)| {
        let value = wish.filters.get(*name)?;
        let mut without = first.clone();
        without.filters.remove(*name);
        Some(link(format!("{label}: {value}"), at(&without), "x"))
    });
    let scope = if wish.scope.is_empty() { controls.scopes.first().map_or("", |it| it.0) } else { wish.scope.as_str() };
    ListView {
        about: about_view(about),
        rows: table.rows.iter().map(|line| row(about, line, &heads)).collect(),
        heads,
        q: wish.q.clone(),
        search_hint: format!("Search by {}", controls.searches.join(", ")),
        scopes: controls
            .scopes
            .iter()
            .map(|(name, label, count)| LinkView {
                current: *name == scope,
                count: counted(*count),
                ..link((*label).to_owned(), at(&Wish { scope: (*name).to_owned(), ..first.clone() }), "")
            })
            .collect(),
        selects: selects(controls, wish),
        chips: chips.collect(),
        kept: kept(controls, wish),
        creations: controls.creations.iter().map(|it| button(it, &url(about))).collect(),
        bulk: controls.bulk.iter().map(|it| option(it.noun, it.label, false)).collect(),
        first_url: if wish.after.is_empty() { String::new() } else { at(&first) },
        next_url: table.next.map(|next| at(&Wish { after: next, ..wish.clone() })).unwrap_or_default(),
        sheet_url: address(&format!("{}/sheet", url(about)), &first),
        clear_url: if first == Wish::default() { String::new() } else { url(about) },
    }
}

fn row(about: &About, line: &Line, heads: &[&'static str]) -> RowView {
    let labelled = |(cell, label): (&Cell, &&'static str)| CellView { label, ..cell_view(cell) };
    RowView {
        id: line.id,
        name: line.name.clone(),
        cells: line.cells.iter().zip(heads).map(labelled).collect(),
        buttons: line.buttons.iter().map(|it| button(it, &row_url(about, line.id))).collect(),
    }
}

fn selects(controls: &Controls, wish: &Wish) -> Vec<SelectView> {
    let chosen = |name: &str| wish.filters.get(name).map(String::as_str).unwrap_or_default();
    let filters = controls.filters.iter().filter(|(_, _, options)| !options.is_empty());
    let filters = filters.map(|(name, label, options)| {
        let all = std::iter::once(option("", "Any", chosen(name).is_empty()));
        let options = all.chain(options.iter().map(|(value, words)| option(value, words, value == chosen(name))));
        SelectView { name: (*name).to_owned(), label, options: options.collect() }
    });
    let sorts = controls.sorts.iter().map(|(name, label)| option(name, label, *name == wish.sort)).collect();
    filters.chain(std::iter::once(SelectView { name: "sort".into(), label: "Order", options: sorts })).collect()
}

/// What a search leaves as it is and no control of its form says.
fn kept(controls: &Controls, wish: &Wish) -> Vec<(String, String)> {
    let free = controls.filters.iter().filter(|(_, _, options)| options.is_empty());
    let free = free.filter_map(|(name, _, _)| Some(((*name).to_owned(), wish.filters.get(*name)?.clone())));
    let scope = (!wish.scope.is_empty()).then(|| ("scope".to_owned(), wish.scope.clone()));
    scope.into_iter().chain(free).collect()
}

fn address(base: &str, wish: &Wish) -> String {
    let mut query = Serializer::new(String::new());
    let parts = [("q", &wish.q), ("scope", &wish.scope), ("sort", &wish.sort)];
    for (name, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    for (name, value) in &wish.filters {
        query.append_pair(name, value);
    }
    if !wish.after.is_empty() {
        query.append_pair(PAGE, &wish.after);
    }
    match query.finish() {
        query if query.is_empty() => base.to_owned(),
        query => format!("{base}?{query}"),
    }
}

fn counted(count: Count) -> String {
    match count {
        Count::Exactly(count) => thousands(count),
        Count::MoreThan(count) => format!("{}+", thousands(count)),
    }
}

fn thousands(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        more => format!("{},{:03}", thousands(more / 1_000), more % 1_000),
    }
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

#[must_use]
pub fn shown(about: &About, shown: Shown) -> ShownView {
    let url = row_url(about, shown.id);
    ShownView {
        about: about_view(about),
        buttons: shown.buttons.iter().map(|it| button(it, &url)).collect(),
        name: shown.name,
        url,
        sections: sections(shown.sections),
    }
}

#[must_use]
pub fn sections(sections: Vec<Section>) -> Vec<SectionView> {
    sections.into_iter().map(section).collect()
}

fn section(section: Section) -> SectionView {
    let mut view = SectionView {
        name: section.name,
        title: section.title,
        text: section.text,
        kind: "facts",
        facts: Vec::new(),
        heads: Vec::new(),
        rows: Vec::new(),
        empty: "",
        verbatim: String::new(),
        pictures: Vec::new(),
        more: section.more.map(|(label, url)| link(label, url, "arrow-right")),
    };
    match section.body {
        Body::Facts(facts) => {
            let known = facts.iter().filter(|(_, cell)| *cell != Cell::Nothing);
            view.facts = known.map(|(label, cell)| CellView { label, ..cell_view(cell) }).collect();
        }
        Body::Table { heads, rows, empty } => {
            let labelled = |(cell, label): (&Cell, &&'static str)| CellView { label, ..cell_view(cell) };
            view.rows = rows.iter().map(|row| row.iter().zip(&heads).map(labelled).collect()).collect();
            (view.kind, view.heads, view.empty) = ("table", heads, empty);
        }
        Body::Verbatim(text) => (view.kind, view.verbatim) = ("verbatim", text),
        Body::Pictures(pictures) => {
            view.kind = "pictures";
            let picture = |(mime, bytes, words): (String, Vec<u8>, String)| PictureView {
                data: format!("data:{mime};base64,{}", STANDARD.encode(bytes)),
                words,
            };
            view.pictures = pictures.into_iter().map(picture).collect();
        }
    }
    view
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
    let Asked { button, rows, left_out, consequences, fields, asks_reason } = asked;
    let complaint = |name: &str| {
        let complaint = sent.complaints.iter().find(|(field, _)| *field == name);
        complaint.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let mut fields: Vec<FieldView> = fields.into_iter().map(|it| field(it, sent.input, &complaint)).collect();
    if asks_reason {
        fields.push(FieldView {
            name: "reason",
            label: "Why",
            kind: "line",
            value: sent.input.reason().to_owned(),
            hint: "Stands in the audit log, for good.",
            error: complaint("reason"),
            is_optional: false,
            options: Vec::new(),
        });
    }
    let (title, action, back) = match rows.as_slice() {
        [] => (button.label.to_owned(), format!("{}/{}", url(about), button.noun), url(about)),
        [(id, name)] => {
            let row_url = row_url(about, *id);
            (format!("{}: {name}", button.label), format!("{row_url}/{}", button.noun), row_url)
        }
        many => (format!("{}: {} rows", button.label, many.len()), format!("{}/batch", url(about)), url(about)),
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
        rows: if is_batch { rows.into_iter().map(|(_, name)| name).collect() } else { Vec::new() },
        left_out: left_out.into_iter().map(|(_, name)| name).collect(),
        consequences,
        fields,
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
        label: field.label,
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
        left_out: Vec::new(),
        ids: Vec::new(),
        noun: "",
        consequences: vec![
            "For a quarter of an hour your studio is theirs, with what they wrote and made.".into(),
            "Nothing can be changed meanwhile.".into(),
            "That you looked, and why, stands in the audit log.".into(),
        ],
        fields: vec![FieldView {
            name: "reason",
            label: "Why",
            kind: "line",
            value: String::new(),
            hint: "Stands in the audit log, for good.",
            error: complaint.to_owned(),
            is_optional: false,
            options: Vec::new(),
        }],
        alert: String::new(),
    }
}

/// What became of an action on several rows.
#[must_use]
pub fn done(about: &About, done: &[Done], said: &str) -> Vec<DoneView> {
    use crate::models::admin::description::Outcome;

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
