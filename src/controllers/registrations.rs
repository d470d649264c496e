//! Opening an account, and proving that the address is one's own.

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use axum_extra::extract::cookie::CookieJar;
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;
use validator::ValidateEmail;

use super::{
    Result,
    extractors::{Client, Form, Page, Visitor, session_cookie},
};
use crate::models::{
    sessions,
    tokens::PlainToken,
    users::{self, Activation, LinkState, Purpose, Registration, links, password_fault},
};

/// Nobody's address is longer (RFC 5321).
const EMAIL_MAX: usize = 254;

#[derive(Deserialize)]
pub struct Credentials {
    #[serde(default)]
    pub email: String,
    #[serde(default)]
    pub password: String,
}

#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    pub token: String,
}

async fn new(Visitor(user): Visitor, page: Page) -> Result<Response> {
    if user.is_some() {
        return Ok(Redirect::to("/app").into_response());
    }
    page.html("users/register.html", form("", "", "", ""))
}

async fn create(
    State(ctx): State<AppContext>,
    client: Client,
    page: Page,
    Form(given): Form<Credentials>,
) -> Result<Response> {
    let email = given.email.trim();
    let email_fault = email_fault(email);
    let password_fault = password_fault(&given.password, email).unwrap_or_default();
    if !email_fault.is_empty() || !password_fault.is_empty() {
        let again = form(email, email_fault, &password_fault, "");
        return page.with_status(StatusCode::UNPROCESSABLE_ENTITY, "users/register.html", again);
    }
    match users::register(&ctx, &client, email, &given.password).await? {
        Registration::Mailed => page.html("users/check_mail.html", json!({ "email": email, "what": "activation" })),
        Registration::Closed => page.with_status(StatusCode::FORBIDDEN, "users/register.html", form(email, "", "", "")),
        Registration::TooOften(refused) => Err(refused.into()),
    }
}

/// Only shows the button: programs that follow every link of a mail use nothing up.
async fn confirm(
    State(ctx): State<AppContext>,
    client: Client,
    page: Page,
    Query(link): Query<Link>,
) -> Result<Response> {
    let state = links::look(&ctx, &client, Purpose::Activation, &PlainToken::received(&link.token)).await??;
    page.html("users/activation.html", activation(&link.token, link_word(state)))
}

async fn activate(
    State(ctx): State<AppContext>,
    client: Client,
    jar: CookieJar,
    page: Page,
    Form(link): Form<Link>,
) -> Result<Response> {
    let token = PlainToken::received(&link.token);
    links::look(&ctx, &client, Purpose::Activation, &token).await??;
    match users::activate_by_link(&ctx, &token).await? {
        Activation::Open(user) => {
            let token = sessions::start(&ctx.db, &user, &client).await?;
            Ok((jar.add(session_cookie(&token)), Redirect::to("/app/conversations")).into_response())
        }
        Activation::Contested(reset) => page.html("users/activation.html", activation(reset.expose(), "contested")),
        Activation::Link(state) => {
            let said = activation("", link_word(state));
            page.with_status(StatusCode::UNPROCESSABLE_ENTITY, "users/activation.html", said)
        }
    }
}

fn activation(token: &str, state: &str) -> serde_json::Value {
    let mut content = form("", "", "", "");
    content["activation"] = json!({ "token": token, "state": state });
    content
}

/// What is wrong with an address, as a sentence for the form; empty when it is fine.
#[must_use]
pub fn email_fault(email: &str) -> &'static str {
    if email.len() <= EMAIL_MAX && email.validate_email() { "" } else { "This is not an e-mail address." }
}

/// What a link is worth, in the words of the templates.
#[must_use]
pub fn link_word(state: LinkState) -> &'static str {
    match state {
        LinkState::Open => "ask",
        LinkState::Expired => "expired",
        LinkState::Used => "used",
        LinkState::Superseded | LinkState::Unknown => "invalid",
    }
}

/// The shape of every form of the account pages.
#[must_use]
pub fn form(email: &str, email_fault: &str, password_fault: &str, base: &str) -> serde_json::Value {
    json!({ "form": {
        "values": { "email": email },
        "errors": { "email": email_fault, "password": password_fault, "base": base },
    } })
}

pub fn routes() -> Routes {
    Routes::new().add("/register", get(new).post(create)).add("/activation", get(confirm).post(activate))
}
