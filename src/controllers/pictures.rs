//! One picture, large, with its prompt and settings; and its end.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Error, Result,
    conversations::turns,
    extractors::{CurrentUser, OwnAsset, OwnPicture, Page},
};
use crate::{
    models::{assets, generations, users},
    views::{self, turns::facts},
};

async fn show(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnAsset(asset): OwnAsset,
    page: Page,
) -> Result<Response> {
    let generation = generations::of_asset(&ctx.db, asset.id).await?.ok_or(Error::NotFound)?;
    let conversation = generation.conversation(&ctx.db).await?.ok_or(Error::NotFound)?;
    let url = views::conversations::url(&conversation);
    let mut picture = json!(views::assets::picture(&asset, &generation.prompt, &url));
    picture["prompt"] = json!(generation.prompt);
    picture["facts"] = json!(facts(&generation.params()?));
    picture["created_at"] = json!(asset.created_at.to_rfc3339());
    picture["new_url"] = json!(format!("/app/conversations?input={}#composer", asset.pid));
    picture["conversation_url"] = json!(format!("{url}#turn-{}", generation.pid));
    page.with_sidebar(&ctx, &user, Some(&conversation)).await?.html("assets/show.html", json!({ "picture": picture }))
}

async fn delete(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnPicture(asset): OwnPicture,
    page: Page,
) -> Result<Response> {
    asset.delete(&ctx).await?;
    answer(&ctx, &user, page, &asset).await
}

async fn restore(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnPicture(asset): OwnPicture,
    page: Page,
) -> Result<Response> {
    asset.restore(&ctx.db).await?;
    answer(&ctx, &user, page, &asset).await
}

/// A picture that was uploaded stands in no turn of its own.
async fn answer(ctx: &AppContext, user: &users::Model, page: Page, asset: &assets::Model) -> Result<Response> {
    match generations::of_asset(&ctx.db, asset.id).await? {
        Some(generation) => turns::answer(ctx, user, page, generation).await,
        None => Ok(Redirect::to("/app/conversations").into_response()),
    }
}

pub fn routes() -> Routes {
    Routes::new()
        .add("/app/pictures/{pid}", get(show))
        .add("/app/pictures/{pid}/deletion", post(delete))
        .add("/app/pictures/{pid}/restoration", post(restore))
}
