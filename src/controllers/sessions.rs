//! Signing in and out.

use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use axum_extra::extract::cookie::CookieJar;
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;

use super::{
    Error, Result,
    error::FORGOTTEN,
    extractors::{Client, Form, Page, Visitor, cleared_cookie, session_cookie, session_token},
    registrations::form,
};
use crate::models::{
    sessions,
    users::{self, SignIn},
};

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn new(Visitor(user): Visitor, page: Page, Query(query): Query<Next>) -> Result<Response> {
    if user.is_some() {
        return Ok(Redirect::to(after(&query.next)).into_response());
    }
    page.html("users/login.html", filled("", "", &query.next))
}

async fn create(
    State(ctx): State<AppContext>,
    client: Client,
    headers: HeaderMap,
    jar: CookieJar,
    page: Page,
    Form(login): Form<Login>,
) -> Result<Response> {
    let said = match users::sign_in(&ctx, &client, &login.email, &login.password).await? {
        SignIn::Welcome(user) => {
            // A session from before the sign-in ends with it.
            if let Some(old) = session_token(&headers) {
                sessions::revoke(&ctx.db, &old).await?;
            }
            let token = sessions::start(&ctx.db, &user, &client).await?;
            return Ok((jar.add(session_cookie(&token)), Redirect::to(after(&login.next))).into_response());
        }
        SignIn::Unverified => "Verify your e-mail address first. We have sent you a link.",
        SignIn::Blocked => "This account is blocked. Write to support if you think that is a mistake.",
        SignIn::Wrong => "E-mail address or password is wrong.",
        SignIn::TooOften(refused) => return Err(Error::TooOften { refused, way_out: Some(FORGOTTEN) }),
    };
    page.with_status(StatusCode::UNPROCESSABLE_ENTITY, "users/login.html", filled(&login.email, said, &login.next))
}

async fn destroy(State(ctx): State<AppContext>, headers: HeaderMap, jar: CookieJar) -> Result<Response> {
    if let Some(token) = session_token(&headers) {
        sessions::revoke(&ctx.db, &token).await?;
    }
    Ok((jar.add(cleared_cookie()), Redirect::to("/login")).into_response())
}

fn filled(email: &str, base: &str, next: &str) -> serde_json::Value {
    let mut form = form(email, "", "", base);
    form["form"]["next"] = json!(inside(next).unwrap_or_default());
    form
}

/// Where to go after signing in.
fn after(next: &str) -> &str {
    inside(next).unwrap_or("/app/conversations")
}

/// A path of this site, or nothing: nobody is sent elsewhere.
#[must_use]
pub fn inside(next: &str) -> Option<&str> {
    let is_ours = next.starts_with("/app") || next.starts_with("/admin");
    let is_path = is_ours && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') && !next.contains("//");
    is_path.then_some(next)
}

pub fn routes() -> Routes {
    Routes::new().add("/login", get(new).post(create)).add("/logout", post(destroy))
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for kept in ["/app", "/app/conversations/0190?from=x", "/app/billing", "/admin", "/admin/users?q=a"] {
            assert_eq!(inside(kept), Some(kept));
        }
        for refused in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil",
            "/app//evil",
            "javascript:alert(1)",
            "/app\r\nX: y",
            "/app/\u{1}",
            "/app/ü",
        ] {
            assert_eq!(inside(refused), None, "{refused}");
        }
    }
}
