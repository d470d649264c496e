//! The gallery as a page: its state is all in the address.

use serde::Serialize;
use uuid::Uuid;

use super::assets::{alt, thumb_url};
use crate::models::{
    assets::gallery::{Piece, Shape, Shown, Wanted},
    catalogue::Catalogue,
};

/// Pages that one address shows at once; further ones have an address of their own.
pub const PAGES_MAX: u64 = 10;

/// What the address of a picture says of somebody who comes from the gallery.
pub const VIA: &str = "gallery";

#[derive(Debug, Serialize)]
pub struct GalleryView {
    pub pictures: Vec<PieceView>,
    /// Where it goes on; `None` at the end.
    pub more: Option<More>,
    pub filters: Filters,
    /// Something is left out.
    pub is_narrowed: bool,
    /// The address of what is seen, for forms that come back to it.
    pub here: String,
    /// The first page of the same; empty on it.
    pub newest_url: String,
}

#[derive(Debug, Serialize)]
pub struct PieceView {
    pub pid: String,
    pub url: String,
    pub thumb_url: String,
    pub alt: String,
    pub favorite: bool,
    pub width: i64,
    pub height: i64,
}

/// The link that loads more. Without JavaScript it is the next page; with it the next page comes below this one, and the
/// address becomes one that shows both, so that coming back finds the same place.
#[derive(Debug, Serialize)]
pub struct More {
    pub url: String,
    /// For htmx; empty when the page is full.
    pub get: String,
}

/// The form, as it was sent.
#[derive(Debug, Serialize)]
pub struct Filters {
    pub q: String,
    pub favorites: bool,
    pub from_picture: bool,
    pub since: String,
    pub until: String,
    pub models: Vec<Pick>,
    pub shapes: Vec<Pick>,
}

#[derive(Debug, Serialize)]
pub struct Pick {
    pub id: String,
    pub name: String,
    pub selected: bool,
}

/// `before` and `pages` are those of the address.
#[must_use]
pub fn view(shown: &Shown, wanted: &Wanted, catalogue: &Catalogue, before: Option<&str>, pages: u64) -> GalleryView {
    let at = |before: Option<&str>, pages: u64| url(wanted, before, pages);
    let more = shown.older.map(|older| {
        let older = older.to_string();
        let url = at(Some(&older), 1);
        let is_full = pages >= PAGES_MAX;
        More {
            // htmx wants to be told how much is on the page already.
            get: if is_full {
                String::new()
            } else {
                format!("{url}&shown={pages}&from={}", before.unwrap_or_default())
            },
            url,
        }
    });
    GalleryView {
        pictures: shown.pieces.iter().map(|it| piece(it, picture_url(it.asset.pid, wanted, before, pages))).collect(),
        more,
        filters: filters(wanted, catalogue),
        is_narrowed: !narrowed(wanted).is_empty(),
        here: at(before, pages),
        newest_url: before.map(|_| at(None, 1)).unwrap_or_default(),
    }
}

/// The address of these pages of the gallery.
#[must_use]
pub fn url(wanted: &Wanted, before: Option<&str>, pages: u64) -> String {
    address("/app/gallery", &query(wanted, before, pages))
}

/// A picture of theirs, with the way back to them and on to those beside it.
#[must_use]
pub fn picture_url(pid: Uuid, wanted: &Wanted, before: Option<&str>, pages: u64) -> String {
    let mut query = query(wanted, before, pages);
    query.insert(0, ("via", VIA.to_owned()));
    address(&format!("/app/pictures/{pid}"), &query)
}

fn piece(piece: &Piece, url: String) -> PieceView {
    PieceView {
        pid: piece.asset.pid.to_string(),
        url,
        thumb_url: thumb_url(&piece.asset),
        alt: alt(&piece.prompt),
        favorite: piece.asset.favorite,
        width: piece.asset.width,
        height: piece.asset.height,
    }
}

fn filters(wanted: &Wanted, catalogue: &Catalogue) -> Filters {
    let pick = |id: &str, name: &str, selected: bool| Pick { id: id.into(), name: name.into(), selected };
    let shape = |shape| pick(shape_id(shape), shape_name(shape), wanted.shape == Some(shape));
    Filters {
        q: wanted.words.clone(),
        favorites: wanted.favorites,
        from_picture: wanted.from_picture,
        since: wanted.since.map(|day| day.to_string()).unwrap_or_default(),
        until: wanted.until.map(|day| day.to_string()).unwrap_or_default(),
        models: catalogue.models.iter().map(|m| pick(&m.id, &m.name, m.id == wanted.model)).collect(),
        shapes: [Shape::Square, Shape::Wide, Shape::Tall].map(shape).into(),
    }
}

fn narrowed(wanted: &Wanted) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    let mut add = |name, value: String| {
        if !value.is_empty() {
            query.push((name, value));
        }
    };
    add("q", wanted.words.trim().to_owned());
    add("favorites", if wanted.favorites { "1" } else { "" }.into());
    add("from_picture", if wanted.from_picture { "1" } else { "" }.into());
    add("model", wanted.model.clone());
    add("shape", wanted.shape.map(shape_id).unwrap_or_default().into());
    add("since", wanted.since.map(|day| day.to_string()).unwrap_or_default());
    add("until", wanted.until.map(|day| day.to_string()).unwrap_or_default());
    query
}

fn query(wanted: &Wanted, before: Option<&str>, pages: u64) -> Vec<(&'static str, String)> {
    let mut query = narrowed(wanted);
    query.extend(before.map(|pid| ("before", pid.to_owned())));
    query.extend((pages > 1).then(|| ("pages", pages.to_string())));
    query
}

fn address(path: &str, query: &[(&str, String)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

#[must_use]
pub const fn shape_id(shape: Shape) -> &'static str {
    match shape {
        Shape::Square => "square",
        Shape::Wide => "wide",
        Shape::Tall => "tall",
    }
}

const fn shape_name(shape: Shape) -> &'static str {
    match shape {
        Shape::Square => "Square",
        Shape::Wide => "Wide",
        Shape::Tall => "Tall",
    }
}
