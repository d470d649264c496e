//! A forgotten password.

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use axum_extra::extract::cookie::CookieJar;
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Error, Result,
    error::MAILED,
    extractors::{Client, Form, Page, session_cookie},
    registrations::{Credentials, Link, form, link_word},
};
use crate::models::{
    sessions,
    tokens::PlainToken,
    users::{self, LinkState, Purpose, links, password_fault},
};

#[derive(Deserialize)]
struct NewPassword {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

async fn forgot(page: Page) -> Result<Response> {
    page.html("users/forgot.html", form("", "", "", ""))
}

/// Answers alike whether there is such an account or not.
async fn send(
    State(ctx): State<AppContext>,
    client: Client,
    page: Page,
    Form(given): Form<Credentials>,
) -> Result<Response> {
    let asked = users::request_reset(&ctx, &client, &given.email).await?;
    asked.map_err(|refused| Error::TooOften { refused, way_out: Some(MAILED) })?;
    page.html("users/check_mail.html", json!({ "email": given.email.trim(), "what": "reset" }))
}

async fn choose(
    State(ctx): State<AppContext>,
    client: Client,
    page: Page,
    Query(link): Query<Link>,
) -> Result<Response> {
    let state = links::look(&ctx, &client, Purpose::Reset, &PlainToken::received(&link.token)).await??;
    page.html("users/reset.html", reset(&link.token, state, ""))
}

async fn set(
    State(ctx): State<AppContext>,
    client: Client,
    jar: CookieJar,
    page: Page,
    Form(new): Form<NewPassword>,
) -> Result<Response> {
    let token = PlainToken::received(&new.token);
    let state = links::look(&ctx, &client, Purpose::Reset, &token).await??;
    if let Some(fault) = password_fault(&new.password, "") {
        return page.with_status(
            StatusCode::UNPROCESSABLE_ENTITY,
            "users/reset.html",
            reset(&new.token, state, &fault),
        );
    }
    match users::reset_password(&ctx, &token, &new.password).await? {
        Ok(user) => {
            let token = sessions::start(&ctx.db, &user, &client).await?;
            Ok((jar.add(session_cookie(&token)), Redirect::to("/app/conversations")).into_response())
        }
        Err(state) => page.with_status(StatusCode::UNPROCESSABLE_ENTITY, "users/reset.html", reset("", state, "")),
    }
}

fn reset(token: &str, state: LinkState, fault: &str) -> Value {
    let mut content = form("", "", fault, "");
    content["token"] = json!(token);
    content["state"] = json!(link_word(state));
    content
}

pub fn routes() -> Routes {
    Routes::new().add("/password/forgot", get(forgot).post(send)).add("/password/reset", get(choose).post(set))
}
