//! The composer's form: fields and at most one file, read under limits.

use axum::{
    extract::{
        FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use loco_rs::app::AppContext;

use crate::{
    controllers::Error,
    models::{
        assets::upload::{Arriving, Upload},
        generations::Ask,
    },
};

/// A text field longer than this is nobody's prompt.
const FIELD_MAX_BYTES: usize = 64 * 1024;

/// Marks our own form; programs that send the fields by themselves are taken at their word.
const COMPOSER: &str = "composer";

/// A wish as a browser sends it: `multipart/form-data`, or a plain form without a file.
pub struct AskForm(pub Ask);

impl FromRequest<AppContext> for AskForm {
    type Rejection = Response;

    async fn from_request(request: Request, ctx: &AppContext) -> Result<Self, Response> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/x-www-form-urlencoded") {
            return plain(request, ctx).await;
        }
        let mut form = Multipart::from_request(request, ctx).await.map_err(|_| broken())?;
        let mut ask = Ask::default();
        let mut is_composer = false;
        while let Some(mut field) = form.next_field().await.map_err(unread)? {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "image" {
                let (came, is_whole) = file(&mut field).await?;
                ask.image = match (ask.image.take(), came) {
                    (Some(_), Some(_)) => Some(Upload::Several),
                    (one, other) => one.or(other),
                };
                if is_whole {
                    continue;
                }
                break;
            }
            let bytes = read(&mut field).await?;
            let text = String::from_utf8(bytes.to_vec()).ok().filter(|text| !text.contains('\0'));
            let text = text.ok_or_else(not_text)?;
            is_composer |= name == COMPOSER;
            put(&mut ask, &name, text);
        }
        Ok(Self(if is_composer { as_seen(ask) } else { ask }))
    }
}

async fn plain(request: Request, ctx: &AppContext) -> Result<AskForm, Response> {
    let body = Bytes::from_request(request, ctx).await.map_err(IntoResponse::into_response)?;
    let mut ask = Ask::default();
    let mut is_composer = false;
    for (name, value) in url::form_urlencoded::parse(&body) {
        if value.contains('\0') {
            return Err(not_text());
        }
        is_composer |= name == COMPOSER;
        put(&mut ask, &name, value.into_owned());
    }
    Ok(AskForm(if is_composer { as_seen(ask) } else { ask }))
}

/// Without JavaScript a browser sends every control of the composer, also those that the chosen mode does not use. What
/// the person did decides: a file chosen now is worked on; otherwise "from words" leaves picture and strength aside.
fn as_seen(mut ask: Ask) -> Ask {
    if ask.image.is_some() {
        ask.mode = "image_to_image".into();
    } else if ask.mode == "text_to_image" {
        ask.strength.clear();
        ask.input.clear();
    }
    ask
}

/// Reads on to the end, keeps what fits.
async fn read(field: &mut Field<'_>) -> Result<Bytes, Response> {
    let mut kept = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(unread)? {
        let room = FIELD_MAX_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(kept.freeze())
}

/// The file, if there is one, and whether the form goes on behind it. One that is longer than any body we read ends the
/// form, and what was typed before it is kept.
async fn file(field: &mut Field<'_>) -> Result<(Option<Upload>, bool), Response> {
    let mut file = Arriving::default();
    let is_whole = loop {
        match field.chunk().await {
            Ok(Some(chunk)) => file.push(&chunk).await.map_err(ours)?,
            Ok(None) => break true,
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => break false,
            Err(error) => return Err(unread(error)),
        }
    };
    Ok((file.finish().await.map_err(ours)?, is_whole))
}

fn unread(error: MultipartError) -> Response {
    match error.status() {
        StatusCode::BAD_REQUEST => broken(),
        _ => error.into_response(),
    }
}

fn broken() -> Response {
    Error::BadRequest("The form did not arrive whole. Nothing was charged. Go back and send it again.").into_response()
}

fn ours(error: loco_rs::Error) -> Response {
    Error::Internal(error).into_response()
}

fn put(ask: &mut Ask, name: &str, value: String) {
    match name {
        "mode" => ask.mode = value,
        "prompt" => ask.prompt = value,
        "model" => ask.model = value,
        "resolution" => ask.resolution = value,
        "aspect_ratio" => ask.aspect_ratio = value,
        "batch_size" => ask.batch_size = value,
        "strength" => ask.strength = value,
        "input" => ask.input = value,
        "client_token" => ask.client_token = value,
        // Unknown fields change nothing; a page from before an upgrade may have some, and a prompt is not lost for that.
        _ => {}
    }
}

fn not_text() -> Response {
    Error::BadRequest("A field of the form is not text. Nothing was charged.").into_response()
}
