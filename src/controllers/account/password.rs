//! A new password, for somebody who knows the present one.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::{Value, json};

use super::complaint;
use crate::{
    controllers::{
        Result,
        extractors::{Client, CurrentSession, CurrentUser, Form, Page},
    },
    models::users::password_fault,
};

#[derive(Deserialize)]
pub struct Change {
    #[serde(default)]
    current_password: String,
    #[serde(default)]
    password: String,
}

pub async fn edit(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    super::form(&ctx, &user, page, "account/password.html", form("", ""), false).await
}

pub async fn update(
    State(ctx): State<AppContext>,
    client: Client,
    CurrentSession(user, here): CurrentSession,
    page: Page,
    Form(change): Form<Change>,
) -> Result<Response> {
    if let Some(fault) = password_fault(&change.password, user.email()) {
        return super::form(&ctx, &user, page, "account/password.html", form("", &fault), true).await;
    }
    let confirmation = user.change_password(&ctx, &client, &here, &change.current_password, &change.password).await?;
    match complaint(&confirmation)? {
        "" => Ok(Redirect::to("/app/account?done=password").into_response()),
        fault => super::form(&ctx, &user, page, "account/password.html", form(fault, ""), true).await,
    }
}

fn form(current: &str, new: &str) -> Value {
    json!({ "errors": { "current_password": current, "password": new } })
}
