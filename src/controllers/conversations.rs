//! The studio: conversations and what stands in them.

mod archivals;
mod deletions;
mod generations;
mod restorations;
mod start;
mod titles;
pub(super) mod turns;

use axum::{
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::{Value, json};

use super::{
    Error, Result,
    extractors::{AskForm, CurrentUser, OwnConversation, Page, PageLater},
};
use crate::{
    context::Nproxy,
    models::{
        self, conversations,
        generations::{Faults, Submission},
        users,
    },
    views::{self, composer::Draft},
};
use start::{Start, kept};

async fn index(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    Query(start): Query<Start>,
) -> Result<Response> {
    let draft = start.draft(&ctx, &user, None).await?;
    if page.is_htmx {
        return part_of_composer(&ctx, page, None, draft, &start);
    }
    blank(&ctx, &user, page, draft, Some(&start), StatusCode::OK).await
}

/// The first prompt opens the conversation.
async fn create(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: PageLater,
    AskForm(mut ask): AskForm,
) -> Result<Response> {
    ask.take_image(&ctx, &user).await?;
    match models::generations::submit(&ctx, &user, None, ask.clone()).await? {
        Submission::Accepted { conversation, .. } | Submission::Repeated { conversation, .. } => {
            Ok(Redirect::to(&views::conversations::url(&conversation)).into_response())
        }
        refused => {
            let page = page.page(&ctx).await?;
            let (status, faults) = refusal(refused, fewer_would_do(&page, ask.pictures()))?;
            let draft = kept(&ctx, &user, &ask, faults).await?;
            blank(&ctx, &user, page, draft, None, status).await
        }
    }
}

async fn show(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnConversation(conversation): OwnConversation,
    page: Page,
    Query(start): Query<Start>,
) -> Result<Response> {
    if page.is_htmx && !start.before.is_empty() {
        let content = turns::some(&ctx, &user, &conversation, &start.before, page.is_seen).await?;
        return page.html("conversations/earlier.html", content);
    }
    let draft = start.draft(&ctx, &user, Some(&conversation)).await?;
    if page.is_htmx {
        return part_of_composer(&ctx, page, Some(&conversation), draft, &start);
    }
    full(&ctx, &user, page, &conversation, draft, Some(start), StatusCode::OK).await
}

/// The first screen: nothing but the composer and what it could be asked.
async fn blank(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    draft: Draft,
    start: Option<&Start>,
    status: StatusCode,
) -> Result<Response> {
    let mut content = composer(ctx, &page, None, draft);
    content["flash"] = start.map_or(Value::Null, Start::flash);
    content["deleted"] = match start {
        Some(start) => start.deleted(ctx, user).await?,
        None => Value::Null,
    };
    let response =
        page.with_sidebar(ctx, user, None).await?.with_status(status, "conversations/index.html", content)?;
    Ok(([(header::VARY, "HX-Request")], response).into_response())
}

/// Without a `start` somebody has to read what the page says, and it does not look again by itself.
async fn full(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    conversation: &conversations::Model,
    draft: Draft,
    start: Option<Start>,
    status: StatusCode,
) -> Result<Response> {
    let url = views::conversations::url(conversation);
    let before = start.as_ref().map(|start| start.before.as_str()).unwrap_or_default();
    let mut content = composer(ctx, &page, Some(conversation), draft);
    let turns = turns::some(ctx, user, conversation, before, page.is_seen).await?;
    if let Some(turns) = turns.as_object() {
        content.as_object_mut().into_iter().for_each(|content| content.extend(turns.clone()));
    }
    let newest = &turns["newest_live"];
    if let (Some(start), Some(anchor)) = (start, newest.as_str()) {
        content["check_url"] = json!(format!("{url}?write=1#{anchor}"));
        if start.only_looks() {
            content["refresh_url"] = json!(format!("{url}?look={}#{anchor}", start.look.wrapping_add(1)));
        }
    }
    let page = page.with_sidebar(ctx, user, Some(conversation)).await?;
    let response = page.with_status(status, "conversations/show.html", content)?;
    Ok(([(header::VARY, "HX-Request")], response).into_response())
}

/// What htmx puts into a composer that somebody is writing in: another picture, or all of an earlier wish.
fn part_of_composer(
    ctx: &AppContext,
    page: Page,
    conversation: Option<&conversations::Model>,
    draft: Draft,
    start: &Start,
) -> Result<Response> {
    let content = composer(ctx, &page, conversation, draft);
    let template = if start.from.is_empty() { "conversations/_source.html" } else { "conversations/_composer.html" };
    page.html(template, content)
}

fn composer(ctx: &AppContext, page: &Page, conversation: Option<&conversations::Model>, draft: Draft) -> Value {
    let url = conversation.map_or_else(|| "/app/conversations".to_owned(), views::conversations::url);
    let action = if conversation.is_some() { format!("{url}/generations") } else { url.clone() };
    let composer = views::composer::view(draft, ctx.parts().catalogue(), &page.allowance, action, &url);
    json!({
        "composer": composer,
        "conversation": conversation.map(views::conversations::head),
        "turns": [],
        "refresh_url": "",
        "check_url": "",
    })
}

/// Of those that were asked for, is there enough left for some?
fn fewer_would_do(page: &Page, pictures: i64) -> bool {
    pictures > 1 && !page.allowance.empty
}

/// Why a wish was not taken; everything else is not a refusal.
fn refusal(submission: Submission, fewer_would_do: bool) -> Result<(StatusCode, Faults)> {
    let says = |status, field, text: &str| Ok((status, Faults(vec![(field, text.to_owned())])));
    let base = |status, text| says(status, "base", text);
    match submission {
        Submission::Invalid(faults) => Ok((StatusCode::UNPROCESSABLE_ENTITY, faults)),
        Submission::Short => says(
            StatusCode::PAYMENT_REQUIRED,
            "allowance",
            if fewer_would_do {
                "What you have left does not cover this. Nothing was charged. Ask for fewer pictures, or:"
            } else {
                "What you have left does not cover this. Nothing was charged. There is more with a plan:"
            },
        ),
        Submission::InDebt => says(
            StatusCode::PAYMENT_REQUIRED,
            "allowance",
            "A plan of yours was refunded after part of it was used, so nothing new can start yet. Nothing was charged. \
             Your next plan pays for that part first:",
        ),
        Submission::TokenReused => base(
            StatusCode::UNPROCESSABLE_ENTITY,
            "This form was sent before with other words. Nothing was charged. Send it again now.",
        ),
        Submission::TooMany => base(
            StatusCode::TOO_MANY_REQUESTS,
            "You have many pictures under way. Nothing was charged. Wait for one to finish and send this again.",
        ),
        Submission::Crowded => base(
            StatusCode::SERVICE_UNAVAILABLE,
            "Very many pictures are waiting already. Nothing was charged. Send this again in a few minutes.",
        ),
        Submission::Barred => {
            base(StatusCode::FORBIDDEN, "Your account cannot start pictures any more. Nothing was charged.")
        }
        Submission::Paused(says) => Ok((StatusCode::CONFLICT, Faults(vec![("base", says)]))),
        Submission::Gone => Err(Error::NotFound),
        Submission::Accepted { .. } | Submission::Repeated { .. } => Ok((StatusCode::OK, Faults::default())),
    }
}

pub fn routes() -> Routes {
    Routes::new()
        .add("/app/conversations", get(index).post(create))
        .add("/app/conversations/{pid}", get(show))
        .add("/app/conversations/{pid}/generations", post(generations::create))
        .add("/app/conversations/{pid}/title", post(titles::create))
        .add("/app/conversations/{pid}/archival", post(archivals::create))
        .add("/app/conversations/{pid}/retrieval", post(archivals::retrieve))
        .add("/app/conversations/{pid}/deletion", get(deletions::show).post(deletions::create))
        .add("/app/conversations/{pid}/restoration", post(restorations::create))
}
