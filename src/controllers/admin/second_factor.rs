//! `/admin/second-factor`: showing it, and setting it up. The only pages of the house that are open before it was shown.

use axum::{
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    controllers::{
        Error, Result,
        extractors::{AtTheDoor, Client, Confirmed, Form, Page, SECOND_FACTOR, Staff, is_of_the_house},
        sessions::inside,
    },
    models::users::second_factors::{self, Enrolment, Offer, Proof},
    views::invoices::qr,
};

const ENROLMENT: &str = "/admin/second-factor/enrolment";

#[derive(Deserialize)]
pub struct Shown {
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct Setup {
    #[serde(default)]
    offer: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
pub struct Offered {
    #[serde(default)]
    offer: String,
}

pub async fn new(
    State(ctx): State<AppContext>,
    who: AtTheDoor,
    page: Page,
    Query(shown): Query<Shown>,
) -> Result<Response> {
    let Some(left) = second_factors::recovery_codes_left(&ctx.db, &who.user).await? else {
        return Ok(Redirect::to(ENROLMENT).into_response());
    };
    page.html("admin/second_factor/new.html", form(&shown.next, "", left))
}

pub async fn create(
    State(ctx): State<AppContext>,
    client: Client,
    who: AtTheDoor,
    page: Page,
    Form(shown): Form<Shown>,
) -> Result<Response> {
    let Some(left) = second_factors::recovery_codes_left(&ctx.db, &who.user).await? else {
        return Ok(Redirect::to(ENROLMENT).into_response());
    };
    match second_factors::prove(&ctx, &client, &who.user, &who.session, &shown.code).await? {
        Proof::Right => Ok(Redirect::to(back_to(&shown.next)).into_response()),
        Proof::TooOften(refused) => Err(refused.into()),
        Proof::Wrong => {
            let fault = "This code is wrong, over, or was used already. Wait for the next one.";
            let again = form(&shown.next, fault, left);
            page.with_status(StatusCode::UNPROCESSABLE_ENTITY, "admin/second_factor/new.html", again)
        }
    }
}

pub async fn offer(State(ctx): State<AppContext>, who: AtTheDoor, page: Page) -> Result<Response> {
    if second_factors::is_enrolled(&ctx.db, &who.user).await? {
        return Ok(Redirect::to(SECOND_FACTOR).into_response());
    }
    let offer = second_factors::offer(&ctx, &who.user, &who.session)?;
    page.html("admin/second_factor/enrolment.html", offered(&offer, "", ""))
}

pub async fn enrol(
    State(ctx): State<AppContext>,
    client: Client,
    AtTheDoor { user, session }: AtTheDoor,
    page: Page,
    Form(setup): Form<Setup>,
) -> Result<Response> {
    let Some(offer) = second_factors::reopen(&ctx, &user, &session, &setup.offer)? else {
        return Ok(Redirect::to(ENROLMENT).into_response());
    };
    let tried =
        second_factors::enrol(&ctx, &client, &user, &session, &setup.offer, &setup.password, &setup.code).await?;
    let (password, code) = match tried {
        Enrolment::Enrolled(codes) => {
            let codes: Vec<_> = codes.iter().map(|code| code.expose_secret().to_owned()).collect();
            return page.html("admin/second_factor/recovery_codes.html", json!({ "codes": codes }));
        }
        Enrolment::Stale => return Ok(Redirect::to(SECOND_FACTOR).into_response()),
        Enrolment::TooOften(refused) => return Err(refused.into()),
        Enrolment::WrongPassword => ("This is not your password.", ""),
        Enrolment::WrongCode => ("", "This code is wrong or over. Type the one that the app shows now."),
    };
    let again = offered(&offer, password, code);
    page.with_status(StatusCode::UNPROCESSABLE_ENTITY, "admin/second_factor/enrolment.html", again)
}

/// The offer as a picture to scan; only the session that it was made to can read it.
pub async fn code(
    State(ctx): State<AppContext>,
    AtTheDoor { user, session }: AtTheDoor,
    Query(offered): Query<Offered>,
) -> Result<Response> {
    let offer = second_factors::reopen(&ctx, &user, &session, &offered.offer)?.ok_or(Error::NotFound)?;
    let picture = qr::svg(offer.url.expose_secret()).ok_or(Error::NotFound)?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

/// Another phone: the old factor goes, and the new one is set up at once.
pub async fn renew(State(ctx): State<AppContext>, Confirmed(who): Confirmed<Staff>) -> Result<Response> {
    second_factors::reset(&ctx, who.user.email(), "another phone", &who.actor()).await?;
    Ok(Redirect::to(ENROLMENT).into_response())
}

fn form(next: &str, fault: &str, recovery_codes_left: usize) -> Value {
    json!({ "form": { "next": back_to(next), "errors": { "code": fault } }, "recovery_codes_left": recovery_codes_left })
}

fn offered(offer: &Offer, password_fault: &str, code_fault: &str) -> Value {
    let sealed: String = url::form_urlencoded::byte_serialize(offer.sealed.as_bytes()).collect();
    json!({
        "offer": { "sealed": offer.sealed, "secret": in_groups(offer.secret.expose_secret()), "qr_url": format!("{SECOND_FACTOR}/qr?offer={sealed}") },
        "form": { "errors": { "password": password_fault, "code": code_fault } },
    })
}

/// As people type it.
fn in_groups(secret: &str) -> String {
    secret.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

/// A page of the house, and never one of these again.
fn back_to(next: &str) -> &str {
    let path = next.split('?').next().unwrap_or_default();
    inside(next).filter(|_| is_of_the_house(path) && !path.starts_with(SECOND_FACTOR)).unwrap_or("/admin")
}
