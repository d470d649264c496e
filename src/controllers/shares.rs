//! Links to one picture: made and taken back by its owner, opened by anybody who has one.

use axum::{
    extract::{Path, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;

use super::{
    Error, Result,
    extractors::{CurrentUser, Form, OwnAsset, OwnShare, Page},
    pictures,
};
use crate::{
    models::{
        assets, generations,
        shares::{self, Sharing},
    },
    views,
};

/// Search engines are asked to leave it alone, and nobody learns the address from us.
const UNLISTED: [(HeaderName, &str); 2] =
    [(HeaderName::from_static("x-robots-tag"), "noindex, nofollow"), (header::REFERRER_POLICY, "no-referrer")];

#[derive(Debug, Deserialize)]
struct Wish {
    #[serde(default)]
    days: String,
    #[serde(default)]
    prompt: String,
}

async fn create(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnAsset(asset): OwnAsset,
    page: Page,
    Form(wish): Form<Wish>,
) -> Result<Response> {
    let days = wish.days.parse().unwrap_or(shares::DAYS[0]);
    match shares::share(&ctx, &asset, days, !wish.prompt.is_empty()).await? {
        Sharing::Shared(_) => Ok(Redirect::to(&format!("/app/pictures/{}#links", asset.pid)).into_response()),
        Sharing::Gone => Err(Error::NotFound),
        Sharing::TooMany => {
            let page = page.saying("error", "This picture has ten links already. Take one back first.");
            pictures::page(&ctx, &user, page, &asset, &pictures::Look::default(), StatusCode::UNPROCESSABLE_ENTITY)
                .await
        }
    }
}

async fn revoke(State(ctx): State<AppContext>, OwnShare(share): OwnShare) -> Result<Response> {
    share.revoke(&ctx.db).await?;
    let asset = assets::by_id(&ctx.db, share.asset_id).await?;
    Ok(Redirect::to(&format!("/app/pictures/{}#links", asset.pid)).into_response())
}

async fn show(State(ctx): State<AppContext>, Path(token): Path<String>, page: Page) -> Result<Response> {
    let (share, asset) = shares::behind(&ctx, &token).await?.ok_or(Error::DeadShare)?;
    let prompt = generations::prompt_of(&ctx.db, asset.id).await?.unwrap_or_default();
    let shared = views::shares::shared(&share, &asset, &prompt, &format!("/shared/{token}"));
    Ok((UNLISTED, page.html("shares/show.html", json!({ "shared": shared }))?).into_response())
}

async fn picture(State(ctx): State<AppContext>, Path(token): Path<String>) -> Result<Response> {
    let (_, asset) = shares::behind(&ctx, &token).await?.ok_or(Error::DeadShare)?;
    // A link that is taken back shows nothing at once, so nobody keeps the bytes.
    let headers = [(header::CONTENT_TYPE, asset.mime.clone()), (header::CONTENT_LENGTH, asset.bytes.to_string())];
    Ok((UNLISTED, headers, asset.stream(&ctx).await?.into_body()).into_response())
}

pub fn routes() -> Routes {
    Routes::new()
        .add("/app/pictures/{pid}/shares", post(create))
        .add("/app/shares/{pid}/revocation", post(revoke))
        .add("/shared/{token}", get(show))
        .add("/shared/{token}/picture", get(picture))
}
