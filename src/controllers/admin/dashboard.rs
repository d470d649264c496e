//! `/admin`: how the business stands.

use axum::response::Response;
use serde_json::json;

use crate::controllers::{
    Result,
    extractors::{Page, Staff},
};

pub async fn show(_staff: Staff, page: Page) -> Result<Response> {
    page.html("admin/dashboard.html", json!({}))
}
