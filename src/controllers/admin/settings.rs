//! `/admin/settings`: what is switched while the site runs.

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    controllers::{
        Error, Result,
        extractors::{Admin, Form, Page, Staff},
    },
    models::{
        switches::{self, SAYS_MAX, Switch, Thrown},
        users::{self, second_factors},
    },
    views,
};

#[derive(Deserialize)]
pub struct Done {
    #[serde(default)]
    done: String,
}

#[derive(Deserialize)]
pub struct Throw {
    #[serde(default)]
    says: String,
    #[serde(default)]
    reason: String,
}

pub async fn show(
    State(ctx): State<AppContext>,
    staff: Staff,
    page: Page,
    Query(done): Query<Done>,
) -> Result<Response> {
    let mut content = content(&ctx, &staff.user, None).await?;
    // The address names what was done and never says it.
    if Switch::named(&done.done).is_some() {
        content["flash"] = json!({ "tone": "success", "text": "Done. It counts from now on, everywhere." });
    }
    page.html("admin/settings.html", content)
}

pub async fn throw(
    State(ctx): State<AppContext>,
    admin: Admin,
    page: Page,
    Path(name): Path<String>,
    Form(form): Form<Throw>,
) -> Result<Response> {
    let switch = Switch::named(&name).ok_or(Error::NotFound)?;
    let fault = match form.reason.trim() {
        "" => "Say why: it is kept in the audit log.".to_owned(),
        reason => match switches::throw(&ctx, switch, &form.says, reason, &admin.actor()).await? {
            Thrown::Done | Thrown::Already => return Ok(done(switch)),
            Thrown::Speechless => format!("It needs a sentence of at most {SAYS_MAX} letters."),
        },
    };
    again(&ctx, &admin, page, switch, &form, &fault).await
}

pub async fn release(
    State(ctx): State<AppContext>,
    admin: Admin,
    page: Page,
    Path(name): Path<String>,
    Form(form): Form<Throw>,
) -> Result<Response> {
    let switch = Switch::named(&name).ok_or(Error::NotFound)?;
    if form.reason.trim().is_empty() {
        return again(&ctx, &admin, page, switch, &form, "Say why: it is kept in the audit log.").await;
    }
    switches::release(&ctx, switch, form.reason.trim(), &admin.actor()).await?;
    Ok(done(switch))
}

fn done(switch: Switch) -> Response {
    Redirect::to(&format!("/admin/settings?done={}", switch.name())).into_response()
}

/// What was typed stands there again.
async fn again(
    ctx: &AppContext,
    admin: &Admin,
    page: Page,
    switch: Switch,
    form: &Throw,
    fault: &str,
) -> Result<Response> {
    let typed = views::switches::Typed { switch, says: &form.says, reason: &form.reason, fault };
    let content = content(ctx, &admin.user, Some(&typed)).await?;
    page.with_status(StatusCode::UNPROCESSABLE_ENTITY, "admin/settings.html", content)
}

async fn content(ctx: &AppContext, user: &users::Model, typed: Option<&views::switches::Typed<'_>>) -> Result<Value> {
    Ok(json!({
        "switches": views::switches::list(&switches::thrown(&ctx.db).await?, typed),
        "may_change": user.is_admin(),
        "recovery_codes_left": second_factors::recovery_codes_left(&ctx.db, user).await?,
    }))
}
