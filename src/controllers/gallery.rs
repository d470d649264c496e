//! All my pictures.

use axum::{
    extract::{Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    Result,
    extractors::{CurrentUser, Page},
};
use crate::{
    context::Nproxy,
    models::assets::gallery::{self, Shape, Wanted},
    views::{
        self,
        gallery::{PAGES_MAX, shape_id},
    },
};

/// The address. What cannot be read there leaves nothing out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Address {
    q: String,
    favorites: String,
    from_picture: String,
    model: String,
    shape: String,
    since: String,
    until: String,
    before: String,
    pages: String,
    /// Pages that htmx has already, and behind which picture they begin.
    shown: String,
    from: String,
}

impl Address {
    pub(super) fn wanted(&self) -> Wanted {
        let shapes = [Shape::Square, Shape::Wide, Shape::Tall];
        Wanted {
            words: self.q.replace(char::is_control, ""),
            favorites: !self.favorites.is_empty(),
            from_picture: !self.from_picture.is_empty(),
            model: self.model.replace(char::is_control, ""),
            shape: shapes.into_iter().find(|shape| shape_id(*shape) == self.shape),
            since: self.since.parse().ok(),
            until: self.until.parse().ok(),
        }
    }

    /// The picture behind which what is seen begins.
    fn before(&self) -> Option<Uuid> {
        self.before.parse().ok()
    }

    fn pages(&self) -> u64 {
        self.pages.parse().unwrap_or(1).clamp(1, PAGES_MAX)
    }

    /// The gallery as this says it.
    pub(super) fn url(&self) -> String {
        let before = self.before().map(|_| self.before.as_str());
        views::gallery::url(&self.wanted(), before, self.pages())
    }

    /// One of its pictures.
    pub(super) fn picture_url(&self, pid: Uuid) -> String {
        let before = self.before().map(|_| self.before.as_str());
        views::gallery::picture_url(pid, &self.wanted(), before, self.pages())
    }
}

async fn index(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    Query(address): Query<Address>,
) -> Result<Response> {
    let wanted = address.wanted();
    let before = address.before();
    let parts = ctx.parts();
    if page.is_htmx {
        let shown = gallery::gallery(&ctx.db, &user, &wanted, before, 1).await?;
        let pages = address.shown.parse().unwrap_or(1).clamp(1, PAGES_MAX) + 1;
        let from = Some(address.from.as_str()).filter(|from| !from.is_empty());
        let gallery = views::gallery::view(&shown, &wanted, parts.catalogue(), from, pages);
        // What is on the page now is what this address shows.
        let address = HeaderValue::from_str(&gallery.here).map_err(loco_rs::Error::wrap)?;
        let mut response = page.html("gallery/_pictures.html", json!({ "gallery": gallery }))?;
        response.headers_mut().insert("HX-Replace-Url", address);
        return Ok(([(header::VARY, "HX-Request")], response).into_response());
    }
    let pages = address.pages();
    let shown = gallery::gallery(&ctx.db, &user, &wanted, before, pages).await?;
    let from = before.map(|_| address.before.as_str());
    let gallery = views::gallery::view(&shown, &wanted, parts.catalogue(), from, pages);
    let response =
        page.with_sidebar(&ctx, &user, None).await?.html("gallery/index.html", json!({ "gallery": gallery }))?;
    Ok(([(header::VARY, "HX-Request")], response).into_response())
}

pub fn routes() -> Routes {
    Routes::new().add("/app/gallery", get(index))
}
