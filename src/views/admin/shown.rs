//! The page about a row, part by part.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::{AboutView, CellView, LinkView, about_view, button, cell_view, link, row_url};
use crate::models::admin::{
    description::{About, Body, Cell, Section},
    resource::Shown,
};

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

#[must_use]
pub fn shown(about: &About, shown: Shown, may_change: bool) -> ShownView {
    let url = row_url(about, shown.id);
    ShownView {
        about: about_view(about),
        buttons: shown.buttons.iter().map(|it| button(it, &url)).collect(),
        name: shown.name,
        url,
        sections: sections(shown.sections, may_change),
    }
}

/// For somebody who may not change anything, without what leads to a change.
#[must_use]
pub fn sections(sections: Vec<Section>, may_change: bool) -> Vec<SectionView> {
    let sections = sections.into_iter().map(|it| if may_change { it } else { to_look_at(it) });
    sections.map(section).collect()
}

fn to_look_at(mut section: Section) -> Section {
    let is_deed = |cell: &Cell| matches!(cell, Cell::Deed(..));
    match &mut section.body {
        Body::Facts(facts) => facts.retain(|(_, cell)| !is_deed(cell)),
        Body::Table { heads, rows, .. } => {
            // Their columns have no head.
            let kept: Vec<bool> = heads.iter().map(|head| !head.is_empty()).collect();
            for row in rows {
                let mut kept = kept.iter();
                row.retain(|cell| kept.next() == Some(&true) && !is_deed(cell));
            }
            heads.retain(|head| !head.is_empty());
        }
        Body::Verbatim(_) | Body::Pictures(_) => {}
    }
    section
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
