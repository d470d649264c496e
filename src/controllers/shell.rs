//! What an installed application needs beside its pages: the service worker at the root, which only there may answer for
//! every page, and the page it shows without a network.

use axum::{
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use loco_rs::controller::Routes;
use serde_json::json;

use super::{Result, extractors::Page};

/// Part of the program: it says which files it keeps.
const WORKER: &str = include_str!("../../assets/static/service-worker.js");

async fn worker() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], WORKER).into_response()
}

async fn offline(page: Page) -> Result<Response> {
    page.as_nobody().html("offline.html", json!({}))
}

pub fn routes() -> Routes {
    Routes::new().add("/service-worker.js", get(worker)).add("/offline", get(offline))
}
