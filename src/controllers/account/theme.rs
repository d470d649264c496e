//! Light or dark in this browser.

use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use serde::Deserialize;

use crate::controllers::extractors::{CurrentUser, Form, Theme};

#[derive(Deserialize)]
pub struct Choice {
    #[serde(default)]
    theme: String,
}

pub async fn choose(_: CurrentUser, jar: CookieJar, Form(choice): Form<Choice>) -> Response {
    let jar = jar.add(Theme::named(&choice.theme).cookie());
    (jar, Redirect::to("/app/account?done=theme")).into_response()
}
