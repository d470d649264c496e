//! `/`: the landing for visitors, the studio for people who are signed in.

use axum::{
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use loco_rs::controller::Routes;
use serde_json::json;

use super::{
    Error, Result,
    extractors::{Page, Visitor},
};

async fn show(Visitor(user): Visitor, page: Page) -> Result<Response> {
    match user {
        Some(_) => Ok(Redirect::to("/app/conversations").into_response()),
        None => page.html("home.html", json!({})),
    }
}

/// Every address that is not one of ours.
pub async fn missing() -> Response {
    Error::NotFound.into_response()
}

pub fn routes() -> Routes {
    Routes::new().add("/", get(show))
}
