//! `/app/account`: one's own address, password, sessions, and the way out.

mod deletion;
mod device;
mod email;
mod password;
mod sessions;
mod theme;

use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Error, Result,
    error::FORGOTTEN,
    extractors::{CurrentSession, Page, Theme},
};
use crate::{
    models::{self, auth_events, devices, push_keys, users},
    views,
};

/// Sign-ins that the page shows.
const SIGN_INS: u64 = 10;

/// What has just been done, for the page that says so.
#[derive(Deserialize)]
struct Done {
    #[serde(default)]
    done: String,
}

async fn show(
    State(ctx): State<AppContext>,
    CurrentSession(user, here): CurrentSession,
    page: Page,
    headers: HeaderMap,
    Query(done): Query<Done>,
) -> Result<Response> {
    // Somebody else's link to this page tells nothing that did not happen.
    let is_ours = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let text = said(&done.done).filter(|_| is_ours).unwrap_or_default();
    whole(&ctx, &user, &here, page, StatusCode::OK, "success", text).await
}

/// The page of the account, with what there is to say about what was just done; nothing when that is empty.
async fn whole(
    ctx: &AppContext,
    user: &users::Model,
    here: &models::sessions::Model,
    page: Page,
    status: StatusCode,
    tone: &str,
    text: &str,
) -> Result<Response> {
    let sessions = models::sessions::of(&ctx.db, user).await?;
    let sign_ins = auth_events::sign_ins(&ctx.db, user, SIGN_INS).await?;
    let account = views::accounts::view(user, &sessions, here, &sign_ins);
    let device = views::accounts::DeviceView {
        is_told: devices::is_told(&ctx.db, here).await?,
        push_key: push_keys::public(ctx).await?,
    };
    let themes = Theme::ALL.map(|it| json!({ "word": it.word(), "label": it.label(), "is_chosen": page.theme == it }));
    let mut content = json!({ "account": account, "device": device, "themes": themes });
    if !text.is_empty() {
        content["flash"] = json!({ "tone": tone, "text": text });
    }
    page.with_sidebar(ctx, user, None).await?.with_status(status, "account/show.html", content)
}

/// The address names what was done and never says it: nobody can make this page tell something else.
fn said(done: &str) -> Option<&'static str> {
    match done {
        "password" => Some("Your password is changed. All other sessions have ended."),
        "email" => Some("If that address can be used, a link is on its way to it. Until you open it, nothing changes."),
        "session" => Some("That session has ended."),
        "sessions" => Some("All other sessions have ended."),
        "device" => Some("This device will tell you when something is ready while you are elsewhere."),
        "device-end" => Some("This device stays quiet."),
        "theme" => Some("That is how it looks in this browser from now on."),
        _ => None,
    }
}

/// One of the forms of the account, with what is wrong with it.
async fn form(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    template: &str,
    form: Value,
    is_wrong: bool,
) -> Result<Response> {
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    page.with_sidebar(ctx, user, None).await?.with_status(status, template, json!({ "form": form }))
}

/// The complaint about a password that was asked for once more; empty when it was right.
fn complaint(confirmation: &users::Confirmation) -> Result<&'static str> {
    match confirmation {
        users::Confirmation::Right => Ok(""),
        users::Confirmation::Wrong => Ok("This is not your password."),
        users::Confirmation::TooOften(refused) => Err(Error::TooOften { refused: *refused, way_out: Some(FORGOTTEN) }),
    }
}

pub fn routes() -> Routes {
    Routes::new()
        .add("/app/account", get(show))
        .add("/app/account/password", get(password::edit).post(password::update))
        .add("/app/account/email", get(email::edit).post(email::update))
        .add("/app/account/deletion", get(deletion::new).post(deletion::create))
        .add("/app/account/device", post(device::create))
        .add("/app/account/device/end", post(device::end))
        .add("/app/account/theme", post(theme::choose))
        .add("/app/account/sessions/revocation", post(sessions::revoke_others))
        .add("/app/account/sessions/{pid}/revocation", post(sessions::revoke))
        .add("/email/confirmation", get(email::confirm).post(email::change))
}
