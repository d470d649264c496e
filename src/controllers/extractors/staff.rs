//! The people of the house, in three steps: who may look, who may change, who may say who may. For everybody else the
//! pages of the house are not there: they get the answer of a missing page, and a visitor at any address under `/admin`,
//! whether it exists or not, is led to the login page.
//!
//! Beside the password they show a second factor (`models/users/second_factors.rs`); who has not, is led there first.
//! What is dangerous (refunds, marking as paid, rotating a secret, roles) takes [`Confirmed`]: `Confirmed<Admin>` instead
//! of `Admin`, on the page that asks and on the action itself. When the code is older than ten minutes, nothing happens
//! and the person is led to the code and back to the page they came from.

use axum::{
    extract::FromRequestParts,
    http::{Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;
use loco_rs::app::AppContext;

use super::{
    page::is_htmx,
    session::{Resumed, resumed, to_login},
};
use crate::{
    controllers::Error,
    models::{
        activities::Actor,
        sessions,
        users::{
            self, Role,
            second_factors::{FRESH, HOLDS},
        },
    },
};

/// Everything of the house lies under here.
const HOUSE: &str = "/admin";

/// Where the second factor is shown and set up: the only pages of the house before it.
pub const SECOND_FACTOR: &str = "/admin/second-factor";

/// Of the house, but the second factor was not asked for yet.
#[derive(Debug, Clone)]
pub struct AtTheDoor {
    pub user: users::Model,
    pub session: sessions::Model,
}

/// Support and up: may look.
#[derive(Debug, Clone)]
pub struct Staff {
    pub user: users::Model,
    pub session: sessions::Model,
}

/// Admins and owners: may change.
#[derive(Debug, Clone)]
pub struct Admin {
    pub user: users::Model,
    pub session: sessions::Model,
}

/// Owners: roles and settings.
#[derive(Debug, Clone)]
pub struct Owner {
    pub user: users::Model,
    pub session: sessions::Model,
}

/// Somebody of the house whose code is younger than ten minutes.
#[derive(Debug, Clone)]
pub struct Confirmed<Who>(pub Who);

/// What [`Confirmed`] asks of the three.
pub trait OfTheHouse {
    fn session(&self) -> &sessions::Model;
}

macro_rules! of_the_house {
    ($who:ident, $least:expr) => {
        impl $who {
            /// Who acts, for the audit log.
            #[must_use]
            pub const fn actor(&self) -> Actor {
                Actor::Admin(self.user.id)
            }
        }

        impl OfTheHouse for $who {
            fn session(&self) -> &sessions::Model {
                &self.session
            }
        }

        impl FromRequestParts<AppContext> for $who {
            type Rejection = Response;

            async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
                let (user, session) = signed_in(parts, ctx, $least).await?;
                proved(parts, ctx, &session, HOLDS).await?;
                Ok(Self { user, session })
            }
        }
    };
}

of_the_house!(Staff, Role::Support);
of_the_house!(Admin, Role::Admin);
of_the_house!(Owner, Role::Owner);

impl FromRequestParts<AppContext> for AtTheDoor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, session) = signed_in(parts, ctx, Role::Support).await?;
        Ok(Self { user, session })
    }
}

impl<Who> FromRequestParts<AppContext> for Confirmed<Who>
where
    Who: FromRequestParts<AppContext, Rejection = Response> + OfTheHouse + Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let who = Who::from_request_parts(parts, ctx).await?;
        proved(parts, ctx, who.session(), FRESH).await?;
        Ok(Self(who))
    }
}

/// Whether an address belongs to the house.
#[must_use]
pub fn is_of_the_house(path: &str) -> bool {
    is_at(path, HOUSE)
}

/// Whether an address is one of those before the second factor.
#[must_use]
pub fn is_at_the_door(path: &str) -> bool {
    is_at(path, SECOND_FACTOR)
}

fn is_at(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn signed_in(
    parts: &mut Parts,
    ctx: &AppContext,
    least: Role,
) -> Result<(users::Model, sessions::Model), Response> {
    let resumed = resumed(parts, ctx).await.map_err(IntoResponse::into_response)?;
    let Resumed(Some((session, user))) = resumed else {
        return Err(if looks(&parts.method) { to_login(parts) } else { Error::NotFound.into_response() });
    };
    if user.role() < least {
        return Err(Error::NotFound.into_response());
    }
    Ok((user, session))
}

async fn proved(parts: &Parts, ctx: &AppContext, session: &sessions::Model, within: TimeDelta) -> Result<(), Response> {
    match session.has_proved(&ctx.db, within).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(to_second_factor(parts)),
        Err(error) => Err(Error::from(error).into_response()),
    }
}

fn to_second_factor(parts: &Parts) -> Response {
    let next: String = url::form_urlencoded::byte_serialize(came_from(parts).as_bytes()).collect();
    let place = format!("{SECOND_FACTOR}?next={next}");
    if is_htmx(&parts.headers) {
        return ([("HX-Redirect", place)], StatusCode::UNAUTHORIZED).into_response();
    }
    Redirect::to(&place).into_response()
}

/// The page to come back to: this one, or for an action the one with its button.
fn came_from(parts: &Parts) -> String {
    if looks(&parts.method) {
        return parts.uri.path_and_query().map_or(parts.uri.path(), |path| path.as_str()).to_owned();
    }
    let referer = parts.headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    let page = referer.and_then(|page| url::Url::parse(page).ok()).filter(|page| is_of_the_house(page.path()));
    page.map_or(HOUSE.to_owned(), |page| match page.query() {
        Some(query) => format!("{}?{query}", page.path()),
        None => page.path().to_owned(),
    })
}

fn looks(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_ends_where_its_name_ends() {
        for inside in ["/admin", "/admin/", "/admin/users", "/admin/nothing/here"] {
            assert!(is_of_the_house(inside), "{inside}");
        }
        for outside in ["/", "/administration", "/app/admin", "/Admin"] {
            assert!(!is_of_the_house(outside), "{outside}");
        }
        assert!(is_at_the_door("/admin/second-factor/enrolment") && !is_at_the_door("/admin/second-factors"));
    }
}
