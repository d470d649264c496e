//! `/admin`: how the business stands, and `/admin/health`: what it needs, part by part.

use axum::{extract::State, response::Response};
use loco_rs::app::AppContext;
use serde_json::json;

use crate::{
    controllers::{
        Result,
        extractors::{Page, Staff},
    },
    models::{
        health::{self, Condition},
        standing,
    },
    views,
};

pub async fn show(State(ctx): State<AppContext>, _staff: Staff, page: Page) -> Result<Response> {
    let standing = views::standing::view(&standing::look(&ctx).await?);
    page.html("admin/dashboard.html", json!({ "standing": standing }))
}

pub async fn health(State(ctx): State<AppContext>, _staff: Staff, page: Page) -> Result<Response> {
    let parts = health::look(&ctx).await;
    let down = parts.iter().filter(|part| part.condition == Condition::Down).count();
    page.html("admin/health.html", json!({ "parts": views::standing::parts(parts), "down": down }))
}
