//! Archives to take away: ordered, waited for, downloaded.

use axum::{
    extract::{Query, RawForm, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;

use super::{
    Result,
    extractors::{CurrentUser, OwnExport, Page},
};
use crate::{
    models::{
        clock,
        exports::{self, MIME, Ordering, State as Stands},
        users,
    },
    views,
};

const PAGE: &str = "/app/exports";

async fn index(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    let exports = views::exports::list(&exports::list(&ctx.db, &user).await?, clock::now(&ctx.db).await?)?;
    let content = json!({ "exports": exports, "is_preparing": exports.iter().any(|export| export.is_preparing) });
    let response = if page.is_htmx {
        page.html("exports/_list.html", content)?
    } else {
        page.with_sidebar(&ctx, &user, None).await?.html("exports/index.html", content)?
    };
    Ok(([(header::VARY, "HX-Request")], response).into_response())
}

/// With pictures in the form, of those; otherwise of everything.
async fn create(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    RawForm(form): RawForm,
) -> Result<Response> {
    let fields: Vec<_> = url::form_urlencoded::parse(&form).collect();
    let ordering = if fields.iter().any(|(name, value)| name == "everything" && value == "1") {
        exports::of_everything(&ctx, &user).await?
    } else {
        let chosen = fields.iter().filter(|(name, _)| name == "picture").filter_map(|(_, pid)| pid.parse().ok());
        exports::of_pictures(&ctx, &user, chosen.collect()).await?
    };
    let text = match ordering {
        Ordering::Ordered(_) => return Ok(Redirect::to(PAGE).into_response()),
        Ordering::Nothing => "No picture was chosen. Mark some in the gallery first.",
        Ordering::TooMany => "You have three archives already. Delete one, or wait until its time is over.",
    };
    refused(&ctx, &user, page, text).await
}

async fn refused(ctx: &AppContext, user: &users::Model, page: Page, text: &str) -> Result<Response> {
    let exports = views::exports::list(&exports::list(&ctx.db, user).await?, clock::now(&ctx.db).await?)?;
    let content = json!({ "exports": exports, "is_preparing": exports.iter().any(|export| export.is_preparing) });
    let page = page.saying("error", text).with_sidebar(ctx, user, None).await?;
    page.with_status(StatusCode::UNPROCESSABLE_ENTITY, "exports/index.html", content)
}

#[derive(Debug, Deserialize)]
struct Which {
    #[serde(default)]
    part: String,
}

/// One part, the first if the address names none. One that is not ready, or gone, is explained where they are listed.
async fn show(
    State(ctx): State<AppContext>,
    OwnExport(export): OwnExport,
    Query(which): Query<Which>,
) -> Result<Response> {
    let parts = export.parts()?;
    let number = which.part.parse().unwrap_or(1_usize).max(1);
    let (Stands::Ready, Some(part)) = (export.stands(clock::now(&ctx.db).await?), parts.get(number - 1)) else {
        return Ok(Redirect::to(PAGE).into_response());
    };
    let name = views::exports::file_name(&export, number, parts.len());
    if let Some(link) = export.download_link(&ctx, part, &name).await? {
        return Ok((StatusCode::FOUND, [(header::LOCATION, link)]).into_response());
    }
    let body = export.stream(&ctx, part).await?.into_body();
    let disposition =
        HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).map_err(loco_rs::Error::wrap)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(MIME)),
        (header::CONTENT_LENGTH, HeaderValue::from(part.bytes)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, body).into_response())
}

async fn delete(State(ctx): State<AppContext>, OwnExport(export): OwnExport) -> Result<Response> {
    export.delete(&ctx).await?;
    Ok(Redirect::to(PAGE).into_response())
}

pub fn routes() -> Routes {
    Routes::new()
        .add(PAGE, get(index).post(create))
        .add("/app/exports/{pid}", get(show))
        .add("/app/exports/{pid}/deletion", post(delete))
}
