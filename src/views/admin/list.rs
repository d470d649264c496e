//! A list: its rows, and everything that it can be asked for.

use serde::Serialize;
use url::form_urlencoded::{self, Serializer};

use super::{AboutView, CellView, LinkView, OptionView, about_view, button, cell_view, link, option, row_url, url};
use crate::models::{
    admin::{
        description::{About, Cell},
        resource::{Controls, Line, Table},
    },
    listing::{Count, PAGE, SIZES, Wish},
};

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
    /// What a bulk action is told of this list, as its address says it.
    pub wish: String,
    /// How many fit on all pages; `too_many` for one action.
    pub fitting: String,
    pub too_many: bool,
    pub first_url: String,
    pub next_url: String,
    pub sheet_url: String,
    /// To the list as nobody has narrowed it; empty when it is that.
    pub clear_url: String,
}

#[must_use]
pub fn list(
    about: &About,
    heads: &[(&'static str, &'static str)],
    controls: &Controls,
    table: Table,
    fitting: Option<Count>,
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
        wish: query(&first),
        fitting: fitting.map(counted).unwrap_or_default(),
        too_many: matches!(fitting, Some(Count::MoreThan(_))),
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
    let size = |size: u64| {
        let value = if size == PAGE { String::new() } else { size.to_string() };
        option(&value, &format!("{size} rows"), size == wish.size())
    };
    let mut sizes = [&SIZES[..], &[PAGE]].concat();
    sizes.sort_unstable();
    let sizes = sizes.into_iter().map(size).collect();
    let more = [
        SelectView { name: "sort".into(), label: "Order", options: sorts },
        SelectView { name: "size".into(), label: "On a page", options: sizes },
    ];
    filters.chain(more).collect()
}

/// What a search leaves as it is and no control of its form says.
fn kept(controls: &Controls, wish: &Wish) -> Vec<(String, String)> {
    let free = controls.filters.iter().filter(|(_, _, options)| options.is_empty());
    let free = free.filter_map(|(name, _, _)| Some(((*name).to_owned(), wish.filters.get(*name)?.clone())));
    let scope = (!wish.scope.is_empty()).then(|| ("scope".to_owned(), wish.scope.clone()));
    scope.into_iter().chain(free).collect()
}

fn address(base: &str, wish: &Wish) -> String {
    match query(wish) {
        query if query.is_empty() => base.to_owned(),
        query => format!("{base}?{query}"),
    }
}

/// What the address of a list says, read from what [`query`] has written.
#[must_use]
pub fn asked_for(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The list of a wish that came with a form. Nothing but a list of ours can stand there.
#[must_use]
pub fn list_url(about: &About, query: &str) -> String {
    let mut clean = Serializer::new(String::new());
    clean.extend_pairs(form_urlencoded::parse(query.as_bytes()));
    match clean.finish() {
        query if query.is_empty() => url(about),
        query => format!("{}?{query}", url(about)),
    }
}

fn query(wish: &Wish) -> String {
    let mut query = Serializer::new(String::new());
    let parts = [("q", &wish.q), ("scope", &wish.scope), ("sort", &wish.sort)];
    for (name, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    for (name, value) in &wish.filters {
        query.append_pair(name, value);
    }
    if let Some(size) = wish.size {
        query.append_pair("size", &size.to_string());
    }
    if !wish.after.is_empty() {
        query.append_pair("after", &wish.after);
    }
    query.finish()
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
