//! Into the archive and out of it.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::json;

use crate::{
    controllers::{
        Error, Result,
        extractors::{CurrentUser, Form, OwnConversation, Page},
    },
    models::{conversations, users},
    views,
};

/// Where it was done: in the conversation, or in the list, which is where the person goes on.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    #[serde(default)]
    list: String,
}

pub(super) async fn create(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnConversation(conversation): OwnConversation,
    page: Page,
    Form(place): Form<Place>,
) -> Result<Response> {
    conversation.archive(&ctx.db).await?;
    answer(&ctx, &user, page, &conversation, &place, "/app/history").await
}

pub(super) async fn retrieve(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnConversation(conversation): OwnConversation,
    page: Page,
    Form(place): Form<Place>,
) -> Result<Response> {
    conversation.retrieve(&ctx.db).await?;
    answer(&ctx, &user, page, &conversation, &place, "/app/history?shelf=archived").await
}

async fn answer(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    conversation: &conversations::Model,
    place: &Place,
    list: &str,
) -> Result<Response> {
    if page.is_htmx {
        return changed(ctx, user, page, conversation).await;
    }
    let url = views::conversations::url(conversation);
    Ok(Redirect::to(if place.list.is_empty() { &url } else { list }).into_response())
}

/// The conversation's name, menu and place in the list, as they are now; what is being typed stays.
pub(super) async fn changed(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    conversation: &conversations::Model,
) -> Result<Response> {
    let conversation = conversations::by_id(&ctx.db, conversation.id).await?.ok_or(Error::NotFound)?;
    let page = page.with_sidebar(ctx, user, Some(&conversation)).await?;
    page.html("conversations/changed.html", json!({ "conversation": views::conversations::head(&conversation) }))
}
