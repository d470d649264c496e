//! What receipts say beside the address.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::json;

use crate::{
    controllers::{
        Result,
        extractors::{CurrentUser, Form, Page},
    },
    models::users::{self, BILLED_TO_LINES_MAX, BILLED_TO_MAX, Billing},
};

#[derive(Deserialize)]
pub(super) struct Details {
    #[serde(default)]
    billed_to: String,
}

pub(super) async fn edit(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
) -> Result<Response> {
    let words = user.billed_to.clone().unwrap_or_default();
    form(&ctx, &user, page, StatusCode::OK, &words, "").await
}

pub(super) async fn update(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    Form(details): Form<Details>,
) -> Result<Response> {
    match user.bill_to(&ctx.db, &details.billed_to).await? {
        Billing::Kept => Ok(Redirect::to("/app/billing?done=details").into_response()),
        Billing::TooLong => {
            let error = format!("Keep it to {BILLED_TO_MAX} characters on {BILLED_TO_LINES_MAX} lines.");
            form(&ctx, &user, page, StatusCode::UNPROCESSABLE_ENTITY, &details.billed_to, &error).await
        }
    }
}

async fn form(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    status: StatusCode,
    words: &str,
    error: &str,
) -> Result<Response> {
    let content = json!({ "details": { "billed_to": words, "error": error, "max": BILLED_TO_MAX } });
    page.with_sidebar(ctx, user, None).await?.with_status(status, "billing/details.html", content)
}
