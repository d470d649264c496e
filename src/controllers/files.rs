//! Bytes of one's own pictures. Nothing leaves without a look at whose it is.

use axum::{
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;

use super::{Result, extractors::OwnAsset};
use crate::models::{assets, generations};

/// The bytes under an address never change; the address is only for its owner.
const CACHE: &str = "private, max-age=31536000, immutable";

/// What a browser may do with a picture that it opens by itself: show it.
const ALONE: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

#[derive(Deserialize)]
struct How {
    #[serde(default)]
    download: String,
}

/// What a page shows comes through here wherever it lies: pages take pictures from their own origin only
/// (`img-src 'self'`), and an address that needs its owner's session cannot be passed on as a signed link can. A download
/// is a navigation, which that rule does not touch: with S3 the browser fetches it from the store, by a link that ends soon.
async fn show(
    State(ctx): State<AppContext>,
    OwnAsset(asset): OwnAsset,
    headers: HeaderMap,
    Query(how): Query<How>,
) -> Result<Response> {
    if is_known(&headers, &asset.sha256) {
        return Ok(not_modified(&asset.sha256));
    }
    let name = if how.download.is_empty() {
        None
    } else {
        let prompt = generations::prompt_of(&ctx.db, asset.id).await?.unwrap_or_default();
        let name = asset.file_name(&prompt);
        if let Some(link) = asset.download_link(&ctx, &name).await? {
            return Ok((StatusCode::FOUND, [(header::LOCATION, link)]).into_response());
        }
        Some(name)
    };
    let bytes = asset.stream(&ctx).await?.into_body();
    // With its length said, a picture that breaks off on the way is not taken for a whole one.
    let length = [(header::CONTENT_LENGTH, asset.bytes)];
    Ok((length, file(&asset.mime, &asset.sha256, bytes, name)).into_response())
}

async fn thumbnail(State(ctx): State<AppContext>, OwnAsset(asset): OwnAsset, headers: HeaderMap) -> Result<Response> {
    let tag = thumbnail_tag(&asset);
    if is_known(&headers, &tag) {
        return Ok(not_modified(&tag));
    }
    let bytes = asset.read_thumbnail(&ctx).await?;
    Ok(file("image/jpeg", &tag, bytes.into(), None))
}

fn thumbnail_tag(asset: &assets::Model) -> String {
    format!("{}-thumb", asset.sha256)
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == format!("\"{tag}\"").as_bytes())
}

/// A browser takes the headers of this answer for the bytes that it keeps: without them the site's own `no-store` would
/// make it forget the picture.
fn not_modified(tag: &str) -> Response {
    (StatusCode::NOT_MODIFIED, kept_headers(tag)).into_response()
}

fn kept_headers(tag: &str) -> [(HeaderName, String); 3] {
    [
        (header::CACHE_CONTROL, CACHE.into()),
        (header::ETAG, format!("\"{tag}\"")),
        (header::CONTENT_SECURITY_POLICY, ALONE.into()),
    ]
}

fn file(mime: &str, tag: &str, bytes: Body, download_as: Option<String>) -> Response {
    let disposition = match download_as {
        Some(name) => format!("attachment; filename=\"{name}\""),
        None => "inline".into(),
    };
    let headers = [(header::CONTENT_TYPE, mime.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, kept_headers(tag), bytes).into_response()
}

pub fn routes() -> Routes {
    Routes::new().add("/app/files/{pid}", get(show)).add("/app/files/{pid}/thumbnail", get(thumbnail))
}
