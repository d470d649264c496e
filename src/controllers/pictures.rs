//! One picture, large, with its prompt and settings.

use axum::{extract::State, response::Response, routing::get};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Error, Result,
    extractors::{CurrentUser, OwnAsset, Page},
};
use crate::{
    models::{conversations, generations},
    views::{self, turns::facts},
};

async fn show(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnAsset(asset): OwnAsset,
    page: Page,
) -> Result<Response> {
    let generation = generations::of_asset(&ctx.db, asset.id).await?.ok_or(Error::NotFound)?;
    let id = generation.conversation_id.ok_or(Error::NotFound)?;
    let conversation = conversations::by_id(&ctx.db, id).await?.ok_or(Error::NotFound)?;
    let url = views::conversations::url(&conversation);
    let mut picture = json!(views::assets::picture(&asset, &generation.prompt, &url));
    picture["prompt"] = json!(generation.prompt);
    picture["facts"] = json!(facts(&generation.params()?));
    picture["created_at"] = json!(asset.created_at.to_rfc3339());
    picture["conversation_url"] = json!(format!("{url}#turn-{}", generation.pid));
    page.with_sidebar(&ctx, &user, Some(&conversation)).await?.html("assets/show.html", json!({ "picture": picture }))
}

pub fn routes() -> Routes {
    Routes::new().add("/app/pictures/{pid}", get(show))
}
