//! The name of a conversation.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::json;

use super::{Start, archivals::changed, full};
use crate::{
    controllers::{
        Result,
        extractors::{CurrentUser, Form, OwnConversation, Page},
    },
    models::conversations::{NAME_MAX, Renaming},
    views,
};

#[derive(Debug, Deserialize)]
pub(super) struct Naming {
    #[serde(default)]
    title: String,
}

pub(super) async fn create(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnConversation(conversation): OwnConversation,
    page: Page,
    Form(naming): Form<Naming>,
) -> Result<Response> {
    let error = match conversation.rename(&ctx.db, &naming.title).await? {
        Renaming::Renamed(_) if page.is_htmx => return changed(&ctx, &user, page, &conversation).await,
        Renaming::Renamed(_) => {
            return Ok(Redirect::to(&views::conversations::url(&conversation)).into_response());
        }
        Renaming::Empty => "Give it a name.".to_owned(),
        Renaming::TooLong => format!("Keep the name under {NAME_MAX} characters."),
    };
    let head = views::conversations::HeadView {
        name_error: error,
        name: naming.title,
        ..views::conversations::head(&conversation)
    };
    if page.is_htmx {
        return page.with_status(
            StatusCode::UNPROCESSABLE_ENTITY,
            "conversations/_rename.html",
            json!({ "conversation": head }),
        );
    }
    let draft = Start::default().draft(&ctx, &user, Some(&conversation)).await?;
    let page = page.saying("error", &head.name_error);
    full(&ctx, &user, page, &conversation, draft, None, StatusCode::UNPROCESSABLE_ENTITY).await
}
