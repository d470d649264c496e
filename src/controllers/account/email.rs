//! Another mail address: asked for here, changed by the button behind the link that goes to it.

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde_json::{Value, json};

use super::complaint;
use crate::{
    controllers::{
        Result,
        extractors::{Client, CurrentUser, Form, Page},
        registrations::{self, Credentials, Link, email_fault, link_word},
    },
    models::{
        tokens::PlainToken,
        users::{self, EmailChange, LinkState, Purpose, links, normalized},
    },
};

pub async fn edit(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    super::form(&ctx, &user, page, "account/email.html", form("", "", ""), false).await
}

pub async fn update(
    State(ctx): State<AppContext>,
    client: Client,
    CurrentUser(user): CurrentUser,
    page: Page,
    Form(given): Form<Credentials>,
) -> Result<Response> {
    let email = given.email.trim();
    let fault = match email_fault(email) {
        "" if normalized(email) == user.email() => "This is your address already.",
        fault => fault,
    };
    if !fault.is_empty() {
        return super::form(&ctx, &user, page, "account/email.html", form(email, fault, ""), true).await;
    }
    match complaint(&user.ask_for_email(&ctx, &client, email, &given.password).await?)? {
        "" => Ok(Redirect::to("/app/account?done=email").into_response()),
        fault => super::form(&ctx, &user, page, "account/email.html", form(email, "", fault), true).await,
    }
}

/// Only shows the button: programs that follow every link of a mail use nothing up.
pub async fn confirm(
    State(ctx): State<AppContext>,
    client: Client,
    page: Page,
    Query(link): Query<Link>,
) -> Result<Response> {
    let state = links::look(&ctx, &client, Purpose::EmailChange, &PlainToken::received(&link.token)).await??;
    page.html("account/email_confirmation.html", confirmation(&link.token, link_word(state)))
}

pub async fn change(
    State(ctx): State<AppContext>,
    client: Client,
    page: Page,
    Form(link): Form<Link>,
) -> Result<Response> {
    let token = PlainToken::received(&link.token);
    links::look(&ctx, &client, Purpose::EmailChange, &token).await??;
    let (status, word) = match users::confirm_email(&ctx, &token).await? {
        EmailChange::Changed(_) => (StatusCode::OK, "done"),
        EmailChange::Taken => (StatusCode::UNPROCESSABLE_ENTITY, "taken"),
        EmailChange::Link(LinkState::Open) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        EmailChange::Link(state) => (StatusCode::UNPROCESSABLE_ENTITY, link_word(state)),
    };
    page.with_status(status, "account/email_confirmation.html", confirmation("", word))
}

fn form(email: &str, email_fault: &str, password_fault: &str) -> Value {
    registrations::form(email, email_fault, password_fault, "")["form"].take()
}

fn confirmation(token: &str, state: &str) -> Value {
    json!({ "token": token, "state": state })
}
