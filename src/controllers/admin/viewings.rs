//! An admin looks through somebody's eyes: says why, sees it for a while, and ends it.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::json;

use crate::{
    controllers::{
        Error, Result,
        extractors::{Admin, Confirmed, Form, Page},
    },
    models::users::{self, viewing},
    views,
};

/// The shortest reason that is one.
const REASON_MIN: usize = 3;

#[derive(Deserialize)]
pub struct Wish {
    #[serde(default)]
    reason: String,
}

pub async fn new(
    State(ctx): State<AppContext>,
    _: Confirmed<Admin>,
    page: Page,
    Path(id): Path<i64>,
) -> Result<Response> {
    form(&ctx, page, id, "", StatusCode::OK).await
}

pub async fn create(
    State(ctx): State<AppContext>,
    Confirmed(admin): Confirmed<Admin>,
    page: Page,
    Path(id): Path<i64>,
    Form(wish): Form<Wish>,
) -> Result<Response> {
    let reason = wish.reason.trim();
    if reason.chars().count() < REASON_MIN {
        let complaint = "Say why, in a few words: it stands in the audit log.";
        return form(&ctx, page, id, complaint, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let Some(person) = users::by_id(&ctx.db, id).await? else { return Err(Error::NotFound) };
    if viewing::view(&ctx, &admin.session, &person, reason, &admin.actor()).await? {
        return Ok(Redirect::to("/app").into_response());
    }
    let complaint = "Nobody of the house, and nobody who is gone, is looked at like this.";
    form(&ctx, page, id, complaint, StatusCode::CONFLICT).await
}

pub async fn end(State(ctx): State<AppContext>, admin: Admin) -> Result<Response> {
    let back = match admin.session.viewed_id {
        Some(id) => format!("/admin/users/{id}"),
        None => "/admin/users".into(),
    };
    viewing::look_away(&ctx, &admin.session, &admin.actor()).await?;
    Ok(Redirect::to(&back).into_response())
}

async fn form(ctx: &AppContext, page: Page, id: i64, complaint: &str, status: StatusCode) -> Result<Response> {
    let Some(person) = users::by_id(&ctx.db, id).await? else { return Err(Error::NotFound) };
    page.with_status(status, "admin/action.html", json!({ "asked": views::admin::view_as(&person, complaint) }))
}
