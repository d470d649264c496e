//! The end of the account: a page that says what goes and what stays, then the password.

use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::{Value, json};

use super::complaint;
use crate::controllers::{
    Result,
    extractors::{Client, CurrentUser, Page, cleared_cookie},
};

#[derive(Deserialize)]
pub struct Farewell {
    #[serde(default)]
    password: String,
}

pub async fn new(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    super::form(&ctx, &user, page, "account/deletion.html", form(""), false).await
}

pub async fn create(
    State(ctx): State<AppContext>,
    client: Client,
    CurrentUser(user): CurrentUser,
    jar: CookieJar,
    page: Page,
    Form(farewell): Form<Farewell>,
) -> Result<Response> {
    match complaint(&user.delete(&ctx, &client, &farewell.password).await?)? {
        "" => {
            Ok((jar.add(cleared_cookie()), page.html("account/deleted.html", json!({ "me": null }))?).into_response())
        }
        fault => super::form(&ctx, &user, page, "account/deletion.html", form(fault), true).await,
    }
}

fn form(fault: &str) -> Value {
    json!({ "errors": { "password": fault } })
}
