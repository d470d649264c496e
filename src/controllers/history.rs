//! Every conversation, page by page, and those in the archive.

use axum::{
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;

use super::{
    Result,
    extractors::{CurrentUser, Page},
};
use crate::{
    models::{
        clock,
        conversations::{self, Shelf},
    },
    views,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    shelf: String,
    /// Words that are searched for.
    q: String,
    before: String,
}

async fn index(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    Query(which): Query<Which>,
) -> Result<Response> {
    let shelf = if which.shelf == "archived" { Shelf::Archived } else { Shelf::Current };
    let words = which.q.replace(char::is_control, "");
    let listed = conversations::list(&ctx.db, &user, shelf, &words, which.before.parse().ok()).await?;
    let list = views::conversations::list(&listed, shelf, &words, None, clock::now(&ctx.db).await?);
    let response = if page.is_htmx {
        page.html("history/_more.html", json!({ "list": list }))?
    } else {
        let content = json!({
            "list": list,
            "is_archive": shelf == Shelf::Archived,
            "words": words.trim(),
            "is_first": which.before.is_empty(),
        });
        page.with_sidebar(&ctx, &user, None).await?.html("history/index.html", content)?
    };
    Ok(([(header::VARY, "HX-Request")], response).into_response())
}

pub fn routes() -> Routes {
    Routes::new().add("/app/history", get(index))
}
