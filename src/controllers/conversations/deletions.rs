//! A conversation goes, after a page that says what goes with it.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde_json::json;

use crate::{
    controllers::{
        Result,
        extractors::{CurrentUser, OwnConversation, OwnRemains, Page},
    },
    models::conversations::UNDO,
    views,
};

pub(super) async fn show(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnConversation(conversation): OwnConversation,
    page: Page,
) -> Result<Response> {
    let content = json!({
        "conversation": views::conversations::head(&conversation),
        "pictures_words": views::conversations::pictures_words(conversation.pictures(&ctx.db).await?),
        "undo_seconds": UNDO.num_seconds(),
    });
    page.with_sidebar(&ctx, &user, Some(&conversation)).await?.html("conversations/deletion.html", content)
}

pub(super) async fn create(State(ctx): State<AppContext>, OwnRemains(conversation): OwnRemains) -> Result<Response> {
    conversation.delete(&ctx).await?;
    Ok(Redirect::to(&format!("/app/conversations?deleted={}", conversation.pid)).into_response())
}
