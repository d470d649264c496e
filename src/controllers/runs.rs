//! A run as a fragment that asks for itself until it is final.

use std::slice;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Error, Result,
    conversations::turns,
    extractors::{CurrentUser, OwnRun, Page, is_htmx},
};
use crate::{
    models::{clock, runs},
    views::{self, runs::ptag},
};

/// htmx's word for "this is what I have already".
pub(super) const PTAG: &str = "hx-ptag";

/// Most polls change nothing: those cost one session, one run, and no page.
async fn show(State(ctx): State<AppContext>, OwnRun(run, generation): OwnRun, request: Request) -> Result<Response> {
    let tag = ptag(&run, clock::now(&ctx.db).await?);
    if [header::IF_NONE_MATCH.as_str(), PTAG].iter().any(|name| carries(&request, name, &tag)) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let conversation = generation.conversation(&ctx.db).await?.ok_or(Error::NotFound)?;
    if !is_htmx(request.headers()) {
        let url = views::conversations::url(&conversation);
        return Ok(Redirect::to(&format!("{url}#turn-{}", generation.pid)).into_response());
    }
    let shown = turns::one(&ctx, &conversation, generation).await?.run;
    let tag = shown.ptag.clone();
    let page = Page::from_request_parts(&mut request.into_parts().0, &ctx).await?;
    if page.is_seen {
        runs::notice(&ctx.db, slice::from_ref(&run)).await?;
    }
    let mut response = page.html("runs/show.html", json!({ "run": shown, "is_moved": false }))?;
    let value = |text: &str| HeaderValue::from_str(text).map_err(loco_rs::Error::wrap);
    response.headers_mut().insert(PTAG, value(&tag)?);
    response.headers_mut().insert(header::ETAG, value(&format!("\"{tag}\""))?);
    Ok(response)
}

/// The person wants no more of it.
async fn cancel(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnRun(run, generation): OwnRun,
    page: Page,
) -> Result<Response> {
    run.cancel(&ctx).await?;
    turns::answer(&ctx, &user, page, generation).await
}

pub(super) fn carries(request: &Request, name: &str, tag: &str) -> bool {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_matches('"') == tag)
}

pub fn routes() -> Routes {
    Routes::new().add("/app/runs/{pid}", get(show)).add("/app/runs/{pid}/cancellation", post(cancel))
}
