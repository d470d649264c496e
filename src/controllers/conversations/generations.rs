//! A further prompt in a conversation.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde_json::json;

use super::{composer, fewer_would_do, full, kept, refusal, turns};
use crate::{
    controllers::{
        Result,
        extractors::{AskForm, CurrentUser, OwnConversation, PageLater},
    },
    models::generations::{self, Submission},
    views::{self, composer::Draft},
};

/// htmx gets the new turn; without JavaScript the page is loaded anew.
pub(super) async fn create(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnConversation(conversation): OwnConversation,
    page: PageLater,
    AskForm(mut ask): AskForm,
) -> Result<Response> {
    ask.take_image(&ctx, &user).await?;
    let (generation, conversation) =
        match generations::submit(&ctx, &user, Some(conversation.clone()), ask.clone()).await? {
            Submission::Accepted { conversation, generation } | Submission::Repeated { conversation, generation } => {
                (generation, conversation)
            }
            refused => {
                let page = page.page(&ctx).await?;
                let (status, faults) = refusal(refused, fewer_would_do(&page, ask.pictures()))?;
                let draft = kept(&ctx, &user, &ask, faults).await?;
                if !page.is_htmx {
                    return full(&ctx, &user, page, &conversation, draft, None, status).await;
                }
                let content = composer(&ctx, &page, Some(&conversation), draft);
                return page.with_status(status, "generations/refused.html", content);
            }
        };
    if !page.is_htmx {
        let url = views::conversations::url(&conversation);
        return Ok(Redirect::to(&format!("{url}#turn-{}", generation.pid)).into_response());
    }
    let page = page.page(&ctx).await?;
    let draft = Draft::of_generation(&generation, &generation.params()?, false, None);
    let mut content = composer(&ctx, &page, Some(&conversation), draft);
    content["turn"] = json!(turns::one(&ctx, &conversation, generation).await?);
    page.html("generations/created.html", content)
}
