//! An invoice by its signed link: it can be paid on any device and by anybody, without signing in. Nothing else of the
//! account is shown, and nothing can be done but pay.

use axum::{
    extract::{FromRequestParts, Path, Query, Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Error, Result,
    billing::{
        refusal,
        shown::{self, Way},
    },
    extractors::{Page, Visitor, is_htmx},
};
use crate::{
    models::{
        clock,
        invoices::{self, Opening, State as Stands, links},
        users::{self, Status},
    },
    views::{self, invoices::Place},
};

/// The invoice of a link that works, and whose it is.
async fn linked(ctx: &AppContext, token: &str) -> Result<(invoices::Model, users::Model)> {
    let pid = links::of_link(ctx, token).ok_or(Error::DeadLink)?;
    let invoice = invoices::by_pid(&ctx.db, pid).await?.ok_or(Error::DeadLink)?;
    let user = users::by_id(&ctx.db, invoice.user_id).await?;
    let user = user.filter(|user| user.status() == Status::Activated).ok_or(Error::DeadLink)?;
    Ok((invoice, user))
}

/// Who is signed in and owns it sees it where their invoices are.
async fn show(
    State(ctx): State<AppContext>,
    Path(token): Path<String>,
    Visitor(visitor): Visitor,
    request: Request,
) -> Result<Response> {
    let (invoice, owner) = linked(&ctx, &token).await?;
    if !is_htmx(request.headers()) && visitor.is_some_and(|visitor| visitor.id == owner.id) {
        return Ok(Redirect::to(&views::invoices::url(&invoice)).into_response());
    }
    shown::show(&ctx, None, &invoice, &place(&token), request).await
}

/// A new invoice in the place of one whose time is over, or another try where the processor did not answer.
async fn create(State(ctx): State<AppContext>, Path(token): Path<String>, request: Request) -> Result<Response> {
    let (invoice, owner) = linked(&ctx, &token).await?;
    let now = clock::now(&ctx.db).await?;
    if invoice.state_at(now) >= Stands::Paid {
        return Ok(Redirect::to(&place(&token).url).into_response());
    }
    match invoices::open(&ctx, &owner, &invoice.processor).await? {
        Opening::Open(open) => Ok(Redirect::to(&links::link(&ctx, &open)?).into_response()),
        Opening::Barred => Err(Error::DeadLink),
        refused @ (Opening::AlreadyQueued | Opening::NoSuchProcessor | Opening::TooMany) => {
            let (status, text): (StatusCode, _) = refusal(&refused)?;
            let shown = views::invoices::view(&invoice, None, None, now, &place(&token));
            let page = Page::from_request_parts(&mut request.into_parts().0, &ctx).await?;
            page.with_status(status, "invoices/public.html", json!({ "invoice": shown, "alert": text }))
        }
    }
}

async fn code(State(ctx): State<AppContext>, Path(token): Path<String>, Query(way): Query<Way>) -> Result<Response> {
    let (invoice, _) = linked(&ctx, &token).await?;
    shown::code(&invoice, &way)
}

fn place(token: &str) -> Place {
    Place { url: format!("/pay/{token}"), is_public: true }
}

pub fn routes() -> Routes {
    Routes::new().add("/pay/{token}", get(show).post(create)).add("/pay/{token}/qr", get(code))
}
