//! Rows found through their owner: a stranger's is not found, exactly like one that never was.

use std::collections::HashMap;

use axum::{
    RequestPartsExt,
    extract::{FromRequestParts, Path},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use loco_rs::app::AppContext;
use uuid::Uuid;

use super::CurrentUser;
use crate::{
    controllers::Error,
    models::{assets, conversations, exports, generations, invoices, runs, sessions, shares, users},
};

pub struct OwnConversation(pub conversations::Model);
pub struct OwnRun(pub runs::Model, pub generations::Model, pub conversations::Model);
pub struct OwnGeneration(pub generations::Model);
pub struct OwnAsset(pub assets::Model);
pub struct OwnSession(pub sessions::Model);
pub struct OwnInvoice(pub invoices::Model);
pub struct OwnExport(pub exports::Model);
pub struct OwnShare(pub shares::Model);
/// Also one that was deleted, whether it may come back or not.
pub struct OwnPicture(pub assets::Model);
/// Also a conversation that was deleted: who deletes twice is told the same twice.
pub struct OwnRemains(pub conversations::Model);

impl FromRequestParts<AppContext> for OwnConversation {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        found(conversations::own(&ctx.db, &user, pid).await).map(Self)
    }
}

impl FromRequestParts<AppContext> for OwnRun {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        let own = found(runs::own(&ctx.db, &user, pid).await);
        own.map(|(run, generation, conversation)| Self(run, generation, conversation))
    }
}

impl FromRequestParts<AppContext> for OwnAsset {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        found(assets::own(&ctx.db, &user, pid).await).map(Self)
    }
}

impl FromRequestParts<AppContext> for OwnSession {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        found(sessions::own(&ctx.db, &user, pid).await).map(Self)
    }
}

impl FromRequestParts<AppContext> for OwnGeneration {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        found(generations::own(&ctx.db, &user, pid).await).map(Self)
    }
}

impl FromRequestParts<AppContext> for OwnPicture {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        found(assets::own_even_deleted(&ctx.db, &user, pid).await).map(Self)
    }
}

impl FromRequestParts<AppContext> for OwnRemains {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        found(conversations::own_even_deleted(&ctx.db, &user, pid).await).map(Self)
    }
}

impl FromRequestParts<AppContext> for OwnInvoice {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        found(invoices::own(&ctx.db, &user, pid).await).map(Self)
    }
}

impl FromRequestParts<AppContext> for OwnExport {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        found(exports::own(&ctx.db, &user, pid).await).map(Self)
    }
}

impl FromRequestParts<AppContext> for OwnShare {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Response> {
        let (user, pid) = person_and_pid(parts, ctx).await?;
        found(shares::own(&ctx.db, &user, pid).await).map(Self)
    }
}

async fn person_and_pid(parts: &mut Parts, ctx: &AppContext) -> Result<(users::Model, Uuid), Response> {
    let CurrentUser(user) = CurrentUser::from_request_parts(parts, ctx).await?;
    let Path(path) = parts.extract::<Path<HashMap<String, String>>>().await.map_err(IntoResponse::into_response)?;
    let pid = path.get("pid").and_then(|pid| pid.parse().ok());
    pid.map(|pid| (user, pid)).ok_or_else(|| Error::NotFound.into_response())
}

fn found<T>(looked: loco_rs::Result<Option<T>>) -> Result<T, Response> {
    match looked {
        Ok(Some(row)) => Ok(row),
        Ok(None) => Err(Error::NotFound.into_response()),
        Err(error) => Err(Error::from(error).into_response()),
    }
}
