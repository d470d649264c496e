//! `/`: the landing for visitors, the studio for people who are signed in; and the landing's other pages, which are shown
//! here as long as no other address is named for them.

use axum::{
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use loco_rs::{app::AppContext, controller::Routes};

use super::{Error, Result, extractors::Visitor};
use crate::{context::Nproxy, models::landing::FIRST};

async fn show(State(ctx): State<AppContext>, Visitor(user): Visitor) -> Result<Response> {
    match user {
        Some(_) => Ok(Redirect::to("/app/conversations").into_response()),
        None => landing(&ctx, FIRST),
    }
}

async fn page(State(ctx): State<AppContext>, Path(page): Path<String>) -> Result<Response> {
    if page == FIRST { Err(Error::NotFound) } else { landing(&ctx, &page) }
}

fn landing(ctx: &AppContext, page: &str) -> Result<Response> {
    let parts = ctx.parts();
    let landing = parts.landing()?;
    if !landing.has(page) {
        return Err(Error::NotFound);
    }
    let settings = parts.settings();
    if let Some(url) = &settings.landing_url {
        let path = if page == FIRST { "" } else { page };
        return Ok(Redirect::to(&format!("{}/{path}", url.as_str().trim_end_matches('/'))).into_response());
    }
    Ok(Html(landing.render(page, settings)?).into_response())
}

/// Every address that is not one of ours.
pub async fn missing() -> Response {
    Error::NotFound.into_response()
}

pub fn routes() -> Routes {
    Routes::new().add("/", get(show)).add("/{page}", get(page))
}
