//! A run as a fragment that asks for itself until it is final.

use std::slice;

use axum::{
    extract::{FromRequestParts, Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Error, Result,
    conversations::turns,
    extractors::{OwnRun, Page, PageLater, is_htmx, session_token},
};
use crate::{
    context::Nproxy,
    models::runs::{self, Glance},
    views::{
        self,
        runs::{ptag, slow_of},
    },
};

/// htmx's word for "this is what I have already".
pub(super) const PTAG: &str = "hx-ptag";

/// What this browser has is not what there is, as far as a glance tells. Most polls change nothing: those end here, and
/// cost one question.
struct Changed;

impl FromRequestParts<AppContext> for Changed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> std::result::Result<Self, Response> {
        let has_something = tags(&parts.headers).next().is_some();
        let Some(token) = session_token(&parts.headers).filter(|_| has_something) else { return Ok(Self) };
        let Ok(Path(pid)) = Path::from_request_parts(parts, ctx).await else { return Ok(Self) };
        match runs::glance(&ctx.db, &token, pid).await {
            Ok(Some((run, now))) if shows(&parts.headers, &run, now) => Err(StatusCode::NOT_MODIFIED.into_response()),
            Ok(_) => Ok(Self),
            Err(error) => Err(Error::from(error).into_response()),
        }
    }
}

async fn show(
    State(ctx): State<AppContext>,
    _: Changed,
    OwnRun(run, generation, conversation): OwnRun,
    request: Request,
) -> Result<Response> {
    if !is_htmx(request.headers()) {
        let url = views::conversations::url(&conversation);
        return Ok(Redirect::to(&format!("{url}#turn-{}", generation.pid)).into_response());
    }
    let shown = turns::one(&ctx, &conversation, generation).await?.run;
    let tag = shown.ptag.clone();
    if has(request.headers(), &tag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let page = Page::from_request_parts(&mut request.into_parts().0, &ctx).await?;
    if page.is_seen {
        runs::notice(&ctx.db, slice::from_ref(&run)).await?;
    }
    let composer = views::composer::means(ctx.parts().catalogue(), &page.allowance);
    let content = json!({ "run": shown, "is_moved": false, "composer": composer, "late": "" });
    let mut response = page.html("runs/show.html", content)?;
    let value = |text: &str| HeaderValue::from_str(text).map_err(loco_rs::Error::wrap);
    response.headers_mut().insert(PTAG, value(&tag)?);
    response.headers_mut().insert(header::ETAG, value(&format!("\"{tag}\""))?);
    Ok(response)
}

/// The person wants no more of it.
async fn cancel(
    State(ctx): State<AppContext>,
    OwnRun(run, generation, _): OwnRun,
    page: PageLater,
) -> Result<Response> {
    run.cancel(&ctx).await?;
    turns::answer(&ctx, page, generation).await
}

/// Does the browser show the run as it is, with the words that it was told?
fn shows(headers: &HeaderMap, run: &Glance, now: DateTime<Utc>) -> bool {
    tags(headers).any(|tag| ptag(run, slow_of(tag), now) == tag)
}

/// Does the browser say that it has this already?
pub(super) fn has(headers: &HeaderMap, tag: &str) -> bool {
    tags(headers).any(|it| it == tag)
}

fn tags(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let names = [header::IF_NONE_MATCH, HeaderName::from_static(PTAG)];
    names.into_iter().filter_map(|name| Some(headers.get(name)?.to_str().ok()?.trim_matches('"')))
}

pub fn routes() -> Routes {
    Routes::new().add("/app/runs/{pid}", get(show)).add("/app/runs/{pid}/cancellation", post(cancel))
}
