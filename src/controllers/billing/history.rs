//! What came and went, page by page.

use axum::{
    extract::{Query, State},
    response::Response,
};
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::json;

use crate::{
    controllers::{
        Result,
        extractors::{CurrentUser, Page},
    },
    models::ledger_entries,
    views,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    /// Behind which entry the page begins; what is no number is the newest.
    before: String,
}

pub(super) async fn index(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    Query(which): Query<Which>,
) -> Result<Response> {
    let before = which.before.parse().ok();
    let history = ledger_entries::history(&ctx.db, user.id, before).await?;
    let content = json!({ "history": views::billing::history::view(&history), "is_newest": before.is_none() });
    page.with_sidebar(&ctx, &user, None).await?.html("billing/history.html", content)
}
