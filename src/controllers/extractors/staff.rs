//! The people of the house, in three steps: who may look, who may change, who may say who may. For everybody else the
//! pages of the house are not there: they get the answer of a missing page, and a visitor at any address under `/admin`,
//! whether it exists or not, is led to the login page.

use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
    response::{IntoResponse, Response},
};
use loco_rs::app::AppContext;

use super::session::{Resumed, resumed, to_login};
use crate::{
    controllers::Error,
    models::{activities::Actor, sessions, users, users::Role},
};

/// Everything of the house lies under here.
const HOUSE: &str = "/admin";

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

impl Staff {
    /// Who acts, for the audit log.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::Admin(self.user.id)
    }
}

impl Admin {
    /// Who acts, for the audit log.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::Admin(self.user.id)
    }
}

impl Owner {
    /// Who acts, for the audit log.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::Admin(self.user.id)
    }
}

impl FromRequestParts<AppContext> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, session) = of_the_house(parts, ctx, Role::Support).await?;
        Ok(Self { user, session })
    }
}

impl FromRequestParts<AppContext> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, session) = of_the_house(parts, ctx, Role::Admin).await?;
        Ok(Self { user, session })
    }
}

impl FromRequestParts<AppContext> for Owner {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, session) = of_the_house(parts, ctx, Role::Owner).await?;
        Ok(Self { user, session })
    }
}

/// Whether an address belongs to the house.
#[must_use]
pub fn is_of_the_house(path: &str) -> bool {
    path == HOUSE || path.strip_prefix(HOUSE).is_some_and(|rest| rest.starts_with('/'))
}

async fn of_the_house(
    parts: &mut Parts,
    ctx: &AppContext,
    least: Role,
) -> Result<(users::Model, sessions::Model), Response> {
    let resumed = resumed(parts, ctx).await.map_err(IntoResponse::into_response)?;
    let Resumed(Some((session, user))) = resumed else {
        let looks = [Method::GET, Method::HEAD].contains(&parts.method);
        return Err(if looks { to_login(parts) } else { Error::NotFound.into_response() });
    };
    if user.role() < least {
        return Err(Error::NotFound.into_response());
    }
    Ok((user, session))
}
