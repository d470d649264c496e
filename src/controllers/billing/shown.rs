//! An invoice's page, whichever way somebody came to it: signed in, or by a link.

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::json;

use crate::{
    controllers::{
        Error, Result,
        extractors::{Page, is_htmx},
        runs::{PTAG, has},
    },
    models::{clock, invoices::Model, users},
    views::{self, invoices::Place},
};

#[derive(Deserialize)]
pub(in crate::controllers) struct Way {
    #[serde(default)]
    way: String,
}

/// The page, and the fragment that asks for itself until the invoice is settled; `user` has it in the studio around it.
pub(in crate::controllers) async fn show(
    ctx: &AppContext,
    user: Option<&users::Model>,
    invoice: &Model,
    place: &Place,
    request: Request,
) -> Result<Response> {
    let now = clock::now(&ctx.db).await?;
    let tag = views::invoices::ptag(invoice, now);
    let is_fragment = is_htmx(request.headers());
    if is_fragment && has(request.headers(), &tag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let month = invoice.bought(&ctx.db).await?;
    let content = json!({ "invoice": views::invoices::view(invoice, user, month.as_ref(), now, place), "alert": "" });
    let page = Page::from_request_parts(&mut request.into_parts().0, ctx).await?;
    if is_fragment {
        let mut response = page.html("invoices/poll.html", content)?;
        response.headers_mut().insert(PTAG, HeaderValue::from_str(&tag).map_err(loco_rs::Error::wrap)?);
        return Ok(response);
    }
    match user {
        Some(user) => page.with_sidebar(ctx, user, None).await?.html("invoices/show.html", content),
        None => page.html("invoices/public.html", content),
    }
}

/// What a wallet scans: an image of our own, because pages take none from elsewhere.
pub(in crate::controllers) fn code(invoice: &Model, way: &Way) -> Result<Response> {
    let text = views::invoices::methods::scanned(invoice, &way.way).ok_or(Error::NotFound)?;
    let picture = views::invoices::qr::svg(&text).ok_or(Error::NotFound)?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}
