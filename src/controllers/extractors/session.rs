//! The signed-in person behind a request. `__Host-` keeps the cookie to this host and to HTTPS (browsers take
//! `localhost` for safe); the server-side row is what makes it worth something.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, Uri, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use loco_rs::app::AppContext;
use time::Duration;

use super::{page::is_htmx, staff::is_of_the_house};
use crate::{
    controllers::Error,
    models::{
        sessions,
        tokens::PlainToken,
        users::{self, viewing::viewing},
    },
};

const COOKIE: &str = "__Host-nproxy";

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct CurrentUser(pub users::Model);

/// Somebody who is signed in, with the session of this browser.
#[derive(Debug, Clone)]
pub struct CurrentSession(pub users::Model, pub sessions::Model);

/// Somebody who may be signed in.
#[derive(Debug, Clone)]
pub struct Visitor(pub Option<users::Model>);

/// What the cookie of a request is worth, looked up once.
#[derive(Debug, Clone)]
pub(super) struct Resumed(pub Option<(sessions::Model, users::Model)>);

#[must_use]
pub fn session_cookie(token: &PlainToken) -> Cookie<'static> {
    Cookie::build((COOKIE, token.expose().to_owned()))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(sessions::LIFETIME.num_seconds()))
        .build()
}

#[must_use]
pub fn cleared_cookie() -> Cookie<'static> {
    let mut cookie = session_cookie(&PlainToken::received(""));
    cookie.make_removal();
    cookie
}

/// The token in the cookie, whatever it is worth.
#[must_use]
pub fn session_token(headers: &HeaderMap) -> Option<PlainToken> {
    CookieJar::from_headers(headers).get(COOKIE).map(|cookie| PlainToken::received(cookie.value()))
}

pub(super) async fn resumed(parts: &mut Parts, ctx: &AppContext) -> Result<Resumed, Error> {
    // Several extractors of one request ask; the database is asked once.
    if let Some(known) = parts.extensions.get::<Resumed>() {
        return Ok(known.clone());
    }
    let mut resumed = Resumed(match session_token(&parts.headers) {
        Some(token) => sessions::resume(&ctx.db, &token).await?,
        None => None,
    });
    if let Resumed(Some((session, user))) = &mut resumed
        && !is_of_the_house(parts.uri.path())
        && parts.uri.path() != "/logout"
        && let Some(viewing) = viewing(&ctx.db, session, user).await?
    {
        // Looking is all that there is: whatever would change something is refused before its handler hears of it.
        if ![Method::GET, Method::HEAD].contains(&parts.method) {
            return Err(Error::OnlyLooking);
        }
        *user = viewing.person.clone();
        parts.extensions.insert(viewing);
    }
    parts.extensions.insert(resumed.clone());
    Ok(resumed)
}

impl FromRequestParts<AppContext> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Error> {
        Ok(Self(resumed(parts, ctx).await?.0.map(|(_, user)| user)))
    }
}

impl FromRequestParts<AppContext> for CurrentSession {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        match resumed(parts, ctx).await {
            Ok(Resumed(Some((session, user)))) => Ok(Self(user, session)),
            Ok(Resumed(None)) => Err(to_login(parts)),
            Err(error) => Err(error.into_response()),
        }
    }
}

impl FromRequestParts<AppContext> for CurrentUser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        CurrentSession::from_request_parts(parts, ctx).await.map(|CurrentSession(user, _)| Self(user))
    }
}

/// Browsers are sent to the login page and come back after it; htmx is told to move the whole page.
pub(super) fn to_login(parts: &Parts) -> Response {
    let login = format!("/login{}", next(&parts.method, &parts.uri));
    if is_htmx(&parts.headers) {
        return ([("HX-Redirect", login)], axum::http::StatusCode::UNAUTHORIZED).into_response();
    }
    Redirect::to(&login).into_response()
}

fn next(method: &Method, uri: &Uri) -> String {
    if method != Method::GET || uri.path() == "/app" {
        return String::new();
    }
    let path = uri.path_and_query().map_or(uri.path(), |p| p.as_str());
    let encoded: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    format!("?next={encoded}")
}
