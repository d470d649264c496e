//! A run as a fragment that asks for itself until it is final.

use std::slice;

use axum::{
    extract::{FromRequestParts, Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Error, Result,
    conversations::turns,
    extractors::{OwnRun, Page, PageLater, is_htmx, session_token},
};
use crate::{
    models::{clock, runs},
    views::{self, runs::ptag},
};

/// htmx's word for "this is what I have already".
pub(super) const PTAG: &str = "hx-ptag";

/// What this browser has is not what there is, as far as a glance tells. Most polls change nothing: those end here, and
/// cost one question.
struct Changed;

impl FromRequestParts<AppContext> for Changed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> std::result::Result<Self, Response> {
        let has_something = [header::IF_NONE_MATCH.as_str(), PTAG].iter().any(|name| parts.headers.contains_key(*name));
        let Some(token) = session_token(&parts.headers).filter(|_| has_something) else { return Ok(Self) };
        let Ok(Path(pid)) = Path::from_request_parts(parts, ctx).await else { return Ok(Self) };
        match runs::glance(&ctx.db, &token, pid).await {
            Ok(Some((run, now))) if has(&parts.headers, &ptag(&run, now)) => {
                Err(StatusCode::NOT_MODIFIED.into_response())
            }
            Ok(_) => Ok(Self),
            Err(error) => Err(Error::from(error).into_response()),
        }
    }
}

async fn show(
    State(ctx): State<AppContext>,
    _: Changed,
    OwnRun(run, generation): OwnRun,
    request: Request,
) -> Result<Response> {
    let tag = ptag(&(&run).into(), clock::now(&ctx.db).await?);
    if has(request.headers(), &tag) {
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
async fn cancel(State(ctx): State<AppContext>, OwnRun(run, generation): OwnRun, page: PageLater) -> Result<Response> {
    run.cancel(&ctx).await?;
    turns::answer(&ctx, page, generation).await
}

/// Does the browser say that it has this already?
pub(super) fn has(headers: &HeaderMap, tag: &str) -> bool {
    [header::IF_NONE_MATCH.as_str(), PTAG].iter().any(|name| {
        let value = headers.get(*name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.trim_matches('"') == tag)
    })
}

pub fn routes() -> Routes {
    Routes::new().add("/app/runs/{pid}", get(show)).add("/app/runs/{pid}/cancellation", post(cancel))
}
