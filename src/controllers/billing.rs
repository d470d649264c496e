//! The plan, what is left, and paying for it. Prices are shown only here, to people who are signed in.

use axum::{
    Form,
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;

use super::{
    Error, Result,
    extractors::{CurrentUser, OwnInvoice, Page, is_htmx},
    runs::{PTAG, carries},
};
use crate::{
    context::Nproxy,
    models::{
        clock, debts,
        invoices::{self, Opening},
        users,
    },
    views,
};

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    processor: String,
}

async fn show(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    overview(&ctx, &user, page, StatusCode::OK, "").await
}

/// One press, or twenty, is one invoice.
async fn create(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    Form(wish): Form<Wish>,
) -> Result<Response> {
    match invoices::open(&ctx, &user, &wish.processor).await? {
        Opening::Open(invoice) => Ok(Redirect::to(&views::invoices::url(&invoice)).into_response()),
        Opening::AlreadyQueued => {
            let text = "Your next month is paid already. You can pay for another one when it has begun.";
            overview(&ctx, &user, page, StatusCode::CONFLICT, text).await
        }
        Opening::NoSuchProcessor => {
            let text = "This way to pay is not on offer. Nothing was charged; choose one of those below.";
            overview(&ctx, &user, page, StatusCode::UNPROCESSABLE_ENTITY, text).await
        }
        Opening::TooMany => {
            let text = "You have made many invoices in this hour. Nothing was charged; try again later.";
            overview(&ctx, &user, page, StatusCode::TOO_MANY_REQUESTS, text).await
        }
        Opening::Barred => Err(Error::SignInFirst),
    }
}

async fn overview(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    status: StatusCode,
    alert: &str,
) -> Result<Response> {
    let cycles = invoices::cycles(&ctx.db, user.id, clock::now(&ctx.db).await?).await?;
    let parts = ctx.parts();
    let content = json!({
        "plan": views::billing::plan(parts.catalogue(), &cycles),
        "owes": debts::owes(&ctx.db, user.id).await?,
        "ways": views::billing::ways(parts.processors().iter().map(|processor| processor.name())),
        "invoices": invoices::list(&ctx.db, user).await?.iter().map(views::invoices::line).collect::<Vec<_>>(),
        "alert": alert,
    });
    page.with_sidebar(ctx, user, None).await?.with_status(status, "billing/index.html", content)
}

/// The page of an invoice, and the fragment that asks for itself until the invoice is settled.
async fn invoice(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnInvoice(invoice): OwnInvoice,
    request: Request,
) -> Result<Response> {
    let tag = views::invoices::ptag(&invoice);
    let is_fragment = is_htmx(request.headers());
    if is_fragment && [header::IF_NONE_MATCH.as_str(), PTAG].iter().any(|name| carries(&request, name, &tag)) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let month = invoice.bought(&ctx.db).await?;
    let content = json!({ "invoice": views::invoices::view(&invoice, month.as_ref()) });
    let page = Page::from_request_parts(&mut request.into_parts().0, &ctx).await?;
    if !is_fragment {
        return page.with_sidebar(&ctx, &user, None).await?.html("invoices/show.html", content);
    }
    let mut response = page.html("invoices/poll.html", content)?;
    response.headers_mut().insert(PTAG, HeaderValue::from_str(&tag).map_err(loco_rs::Error::wrap)?);
    Ok(response)
}

pub fn routes() -> Routes {
    Routes::new()
        .add("/app/billing", get(show))
        .add("/app/billing/invoices", post(create))
        .add("/app/billing/invoices/{pid}", get(invoice))
}
