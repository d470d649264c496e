//! A run as a fragment that asks for itself until it is final.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Error, Result,
    extractors::{OwnRun, Page, is_htmx},
};
use crate::{
    models::{assets, conversations, outputs},
    views::{
        self,
        runs::{Shown, ptag, view},
    },
};

/// htmx's word for "this is what I have already".
pub(super) const PTAG: &str = "hx-ptag";

/// Most polls change nothing: those cost one session, one run, and no page.
async fn show(State(ctx): State<AppContext>, OwnRun(run, generation): OwnRun, request: Request) -> Result<Response> {
    let tag = ptag(&run);
    if [header::IF_NONE_MATCH.as_str(), PTAG].iter().any(|name| carries(&request, name, &tag)) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let id = generation.conversation_id.ok_or(Error::NotFound)?;
    let conversation = conversations::by_id(&ctx.db, id).await?.ok_or(Error::NotFound)?;
    let url = views::conversations::url(&conversation);
    if !is_htmx(request.headers()) {
        return Ok(Redirect::to(&format!("{url}#turn-{}", generation.pid)).into_response());
    }
    let places = outputs::of_runs(&ctx.db, vec![run.id]).await?;
    let pictures = assets::by_ids(&ctx.db, places.iter().filter_map(|place| place.asset_id).collect()).await?;
    let shown = view(&Shown {
        run: &run,
        places: &places,
        pictures: &pictures,
        prompt: &generation.prompt,
        aspect_ratio: &generation.params()?.aspect_ratio,
        conversation_url: &url,
        reuse_url: &format!("{url}?from={}#composer", generation.pid),
    });
    let page = Page::from_request_parts(&mut request.into_parts().0, &ctx).await?;
    let mut response = page.html("runs/show.html", json!({ "run": shown }))?;
    let value = |text: &str| HeaderValue::from_str(text).map_err(loco_rs::Error::wrap);
    response.headers_mut().insert(PTAG, value(&tag)?);
    response.headers_mut().insert(header::ETAG, value(&format!("\"{tag}\""))?);
    Ok(response)
}

pub(super) fn carries(request: &Request, name: &str, tag: &str) -> bool {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_matches('"') == tag)
}

pub fn routes() -> Routes {
    Routes::new().add("/app/runs/{pid}", get(show))
}
