//! "Start my next month now": first what is given up for it, then the deed.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use chrono::DateTime;
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::json;

use crate::{
    controllers::{
        Error, Result,
        extractors::{CurrentUser, Form, Page},
    },
    models::{
        clock,
        subscriptions::{self, EarlyStart},
    },
    views,
};

#[derive(Deserialize)]
pub(super) struct Wish {
    /// When the month that is meant was to begin, microseconds.
    #[serde(default)]
    waiting: String,
}

/// Who has no month waiting has nothing to decide.
pub(super) async fn new(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    let now = clock::now(&ctx.db).await?;
    let cycles = subscriptions::cycles(&ctx.db, user.id, now).await?;
    let Some(question) = views::billing::early_start(&cycles, now) else {
        return Ok(Redirect::to("/app/billing").into_response());
    };
    let content = json!({ "early_start": question });
    page.with_sidebar(&ctx, &user, None).await?.html("billing/early_start.html", content)
}

/// A second press finds the month begun, and leads to the same page.
pub(super) async fn create(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    Form(wish): Form<Wish>,
) -> Result<Response> {
    let waiting = wish.waiting.parse().ok().and_then(DateTime::from_timestamp_micros);
    let waiting = waiting.ok_or(Error::BadRequest("The form does not say which month is meant. Reload the page."))?;
    match subscriptions::start_next_now(&ctx, &user, waiting).await? {
        EarlyStart::Started(_) => Ok(Redirect::to("/app/billing?done=started").into_response()),
        EarlyStart::NothingWaits => Ok(Redirect::to("/app/billing").into_response()),
        EarlyStart::Barred => Err(Error::SignInFirst),
    }
}
