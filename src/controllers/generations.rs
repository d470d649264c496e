//! The same wish again: what is missing of it, or all of it anew.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;

use super::{
    Result,
    conversations::turns,
    extractors::{CurrentUser, Form, OwnGeneration, PageLater},
};
use crate::{
    context::Nproxy,
    models::generations::{self, Submission},
    views,
};

#[derive(Debug, Deserialize)]
struct Next {
    /// The run that the person saw as the next one.
    #[serde(default)]
    number: i64,
}

/// A new run for the pictures that are missing.
async fn retry(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnGeneration(generation): OwnGeneration,
    page: PageLater,
    Form(next): Form<Next>,
) -> Result<Response> {
    match generations::retry(&ctx, &user, generation.clone(), next.number).await? {
        Submission::Accepted { generation, .. } | Submission::Repeated { generation, .. } => {
            turns::answer(&ctx, page, generation).await
        }
        refused => turns::refused(&ctx, &user, page, &generation, refused).await,
    }
}

#[derive(Debug, Deserialize)]
struct Press {
    #[serde(default)]
    client_token: String,
}

/// All of it anew, as a turn of its own.
async fn repeat(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnGeneration(original): OwnGeneration,
    page: PageLater,
    Form(press): Form<Press>,
) -> Result<Response> {
    let (conversation, generation) = match generations::repeat(&ctx, &user, &original, press.client_token).await? {
        Submission::Accepted { conversation, generation } | Submission::Repeated { conversation, generation } => {
            (conversation, generation)
        }
        refused => return turns::refused(&ctx, &user, page, &original, refused).await,
    };
    if !page.is_htmx {
        let url = views::conversations::url(&conversation);
        return Ok(Redirect::to(&format!("{url}#turn-{}", generation.pid)).into_response());
    }
    let page = page.page(&ctx).await?;
    let content = json!({
        "composer": views::composer::means(ctx.parts().catalogue(), &page.allowance),
        "turn": turns::one(&ctx, &conversation, generation).await?,
        "original": views::turns::again(&original),
        "original_turn": { "pid": original.pid },
    });
    page.html("generations/repeated.html", content)
}

pub fn routes() -> Routes {
    Routes::new().add("/app/generations/{pid}/runs", post(retry)).add("/app/generations/{pid}/repetition", post(repeat))
}
