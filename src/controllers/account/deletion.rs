//! The end of the account: a page that says what goes and what stays, then the password.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::{Value, json};

use super::complaint;
use crate::{
    controllers::{
        Result,
        extractors::{Client, CurrentUser, Form, Page, cleared_cookie},
    },
    models::users::Departure,
};

const LAST_OWNER: &str = "You are the only owner, and somebody has to own the place. Make somebody else owner first, in \
                          the web admin, under Users.";

#[derive(Deserialize)]
pub struct Farewell {
    #[serde(default)]
    password: String,
}

pub async fn new(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    super::form(&ctx, &user, page, "account/deletion.html", form("", ""), false).await
}

pub async fn create(
    State(ctx): State<AppContext>,
    client: Client,
    CurrentUser(user): CurrentUser,
    jar: CookieJar,
    page: Page,
    Form(farewell): Form<Farewell>,
) -> Result<Response> {
    let (fault, base) = match user.delete(&ctx, &client, &farewell.password).await? {
        Departure::Gone => {
            let goodbye = page.html("account/deleted.html", json!({ "me": null }))?;
            return Ok((jar.add(cleared_cookie()), goodbye).into_response());
        }
        Departure::Unconfirmed(confirmation) => (complaint(&confirmation)?, ""),
        Departure::LastOwner => ("", LAST_OWNER),
    };
    super::form(&ctx, &user, page, "account/deletion.html", form(fault, base), true).await
}

fn form(fault: &str, base: &str) -> Value {
    json!({ "errors": { "password": fault, "base": base } })
}
