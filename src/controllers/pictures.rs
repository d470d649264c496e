//! One picture, large, with its prompt and settings; and its end.

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    Error, Result,
    conversations::turns,
    extractors::{CurrentUser, Form, OwnAsset, OwnPicture, Page, PageLater},
    gallery::Address,
};
use crate::{
    context::Nproxy,
    models::{
        assets::{self, gallery},
        generations, shares, users,
    },
    views::{self, gallery::VIA, turns::facts},
};

/// How somebody looks at a picture, as the address says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct How {
    /// `1` shows it beside the picture that it was made from.
    compare: String,
    /// Where they come from; with [`VIA`] the rest of the address is that of the gallery.
    via: String,
}

#[derive(Debug, Default)]
pub(super) struct Look {
    compares: bool,
    /// The gallery that they came from: they go on in it, and back to it.
    gallery: Option<Address>,
}

impl Look {
    /// Another picture, looked at from the same place.
    fn at(&self, pid: Uuid) -> String {
        match &self.gallery {
            Some(gallery) => gallery.picture_url(pid),
            None => format!("/app/pictures/{pid}"),
        }
    }
}

async fn show(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnAsset(asset): OwnAsset,
    page: Page,
    Query(how): Query<How>,
    Query(address): Query<Address>,
) -> Result<Response> {
    let look = Look { compares: how.compare == "1", gallery: (how.via == VIA).then_some(address) };
    self::page(&ctx, &user, page, &asset, &look, StatusCode::OK).await
}

/// The picture with its words and settings, its neighbours in the gallery and the links to it.
pub(super) async fn page(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    asset: &assets::Model,
    look: &Look,
    status: StatusCode,
) -> Result<Response> {
    let generation = generations::of_asset(&ctx.db, asset.id).await?.ok_or(Error::NotFound)?;
    let conversation = generation.conversation(&ctx.db).await?.ok_or(Error::NotFound)?;
    let url = views::conversations::url(&conversation);
    let wanted = look.gallery.as_ref().map(Address::wanted).unwrap_or_default();
    let (newer, older) = gallery::neighbours(&ctx.db, user, &wanted, asset).await?;
    let beside = |asset: Option<assets::Model>| asset.map(|asset| look.at(asset.pid)).unwrap_or_default();
    let mut links = Vec::new();
    for share in shares::of_asset(&ctx.db, asset).await? {
        let link = share.link(ctx)?;
        links.push(views::shares::share(&share, link));
    }
    let parts = ctx.parts();
    let model = parts.catalogue().model(&generation.model).map_or(generation.model.clone(), |model| model.name.clone());
    let mut picture = json!(views::assets::picture(asset, &generation.prompt, &url));
    picture["prompt"] = json!(generation.prompt);
    picture["facts"] = json!(std::iter::once(model).chain(facts(&generation.params()?)).collect::<Vec<_>>());
    picture["created_at"] = json!(asset.created_at.to_rfc3339());
    picture["favorite"] = json!(asset.favorite);
    picture["new_url"] = json!(format!("/app/conversations?input={}#composer", asset.pid));
    // The same wish with this picture to start from, near it or far from it.
    let vary =
        |strength: &str| format!("{url}?from={}&input={}&strength={strength}#composer", generation.pid, asset.pid);
    picture["vary_little_url"] = json!(vary("0.3"));
    picture["vary_much_url"] = json!(vary("0.7"));
    picture["reuse_url"] = json!(format!("{url}?from={}#composer", generation.pid));
    picture["conversation_url"] = json!(format!("{url}#turn-{}", generation.pid));
    let source = generation.source(&ctx.db).await?.filter(|source| source.deleted_at.is_none());
    let here = look.at(asset.pid);
    let gallery_url = match &look.gallery {
        Some(gallery) => format!("{}#picture-{}", gallery.url(), asset.pid),
        None => "/app/gallery".into(),
    };
    let content = json!({
        "picture": picture,
        "source": source.as_ref().map(|source| views::assets::picture(source, "The picture this was made from", &url)),
        "compares": look.compares,
        "compare_url": format!("{here}{}compare=1", if look.gallery.is_some() { '&' } else { '?' }),
        "here": here,
        "gallery_url": gallery_url,
        "is_of_gallery": look.gallery.is_some(),
        "newer_url": beside(newer),
        "older_url_of_picture": beside(older),
        "links": links,
        "days": shares::DAYS,
    });
    page.with_sidebar(ctx, user, Some(&conversation)).await?.with_status(status, "assets/show.html", content)
}

#[derive(Debug, Deserialize)]
struct Star {
    /// `1` gives it, anything else takes it away: sent twice it is the same.
    #[serde(default)]
    on: String,
    /// The page that the button stands on.
    #[serde(default)]
    back: String,
}

async fn favor(
    State(ctx): State<AppContext>,
    OwnAsset(asset): OwnAsset,
    page: PageLater,
    Form(star): Form<Star>,
) -> Result<Response> {
    let on = star.on == "1";
    asset.favor(&ctx.db, on).await?;
    if page.is_htmx {
        let picture = json!({ "pid": asset.pid, "favorite": on });
        return page.page(&ctx).await?.html("assets/_favorite.html", json!({ "picture": picture, "back": star.back }));
    }
    let back = if star.back.starts_with("/app/") { star.back } else { format!("/app/pictures/{}", asset.pid) };
    Ok(Redirect::to(&format!("{back}#picture-{}", asset.pid)).into_response())
}

async fn delete(State(ctx): State<AppContext>, OwnPicture(asset): OwnPicture, page: PageLater) -> Result<Response> {
    asset.delete(&ctx).await?;
    answer(&ctx, page, &asset).await
}

async fn restore(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnPicture(asset): OwnPicture,
    page: PageLater,
) -> Result<Response> {
    if asset.restore(&ctx.db).await? {
        return answer(&ctx, page, &asset).await;
    }
    let generation = generations::of_asset(&ctx.db, asset.id).await?.ok_or(Error::NotFound)?;
    turns::too_late(&ctx, &user, page, generation).await
}

/// A picture that was uploaded stands in no turn of its own.
async fn answer(ctx: &AppContext, page: PageLater, asset: &assets::Model) -> Result<Response> {
    match generations::of_asset(&ctx.db, asset.id).await? {
        Some(generation) => turns::answer(ctx, page, generation).await,
        None => Ok(Redirect::to("/app/conversations").into_response()),
    }
}

pub fn routes() -> Routes {
    Routes::new()
        .add("/app/pictures/{pid}", get(show))
        .add("/app/pictures/{pid}/favorite", post(favor))
        .add("/app/pictures/{pid}/deletion", post(delete))
        .add("/app/pictures/{pid}/restoration", post(restore))
}
