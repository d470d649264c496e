//! The plan, what is left, and paying for it. Prices are shown only here, to people who are signed in.

mod details;
mod early_start;
mod history;
pub(super) mod shown;

use axum::{
    extract::{Query, Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::json;

use super::{
    Error, Result,
    extractors::{CurrentUser, Form, OwnInvoice, Page},
};
use crate::{
    context::Nproxy,
    models::{
        clock, debts,
        invoices::{self, Opening},
        subscriptions, users,
    },
    views::{self, invoices::Place},
};
use shown::Way;

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    processor: String,
}

/// What was done a moment ago.
#[derive(Deserialize)]
struct Done {
    #[serde(default)]
    done: String,
}

async fn show(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    Query(done): Query<Done>,
) -> Result<Response> {
    let page = match done.done.as_str() {
        "started" => page.saying("success", "Your next month has begun, in full."),
        "details" => page.saying("success", "Your receipts say so from now on."),
        _ => page,
    };
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
        refused => {
            let (status, text) = refusal(&refused)?;
            overview(&ctx, &user, page, status, text).await
        }
    }
}

/// Why no invoice was opened.
pub(super) fn refusal(opening: &Opening) -> Result<(StatusCode, &'static str)> {
    match opening {
        Opening::AlreadyQueued => Ok((
            StatusCode::CONFLICT,
            "Your next month is paid already. You can pay for another one when it has begun.",
        )),
        Opening::NoSuchProcessor => Ok((
            StatusCode::UNPROCESSABLE_ENTITY,
            "This way to pay is not on offer. Nothing was charged; choose one of those below.",
        )),
        Opening::TooMany => Ok((
            StatusCode::TOO_MANY_REQUESTS,
            "You have made many invoices in this hour. Nothing was charged; try again later.",
        )),
        Opening::Barred => Err(Error::SignInFirst),
        Opening::Open(_) => Ok((StatusCode::OK, "")),
    }
}

pub(super) async fn overview(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    status: StatusCode,
    alert: &str,
) -> Result<Response> {
    let now = clock::now(&ctx.db).await?;
    let cycles = subscriptions::cycles(&ctx.db, user.id, now).await?;
    let subscription = subscriptions::of(&ctx.db, user.id).await?;
    let parts = ctx.parts();
    let invoices = invoices::list(&ctx.db, user).await?;
    let content = json!({
        "plan": views::billing::plan(parts.catalogue(), &cycles, subscription.as_ref()),
        "owes": debts::owes(&ctx.db, user.id).await?,
        "ways": views::billing::ways(parts.processors().iter().map(|processor| processor.name())),
        "invoices": invoices.iter().map(|invoice| views::invoices::line(invoice, now)).collect::<Vec<_>>(),
        "billed_to": user.billed_to,
        "alert": alert,
    });
    page.with_sidebar(ctx, user, None).await?.with_status(status, "billing/index.html", content)
}

async fn invoice(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnInvoice(invoice): OwnInvoice,
    request: Request,
) -> Result<Response> {
    let place = Place { url: views::invoices::url(&invoice), is_public: false };
    shown::show(&ctx, Some(&user), &invoice, &place, request).await
}

async fn code(OwnInvoice(invoice): OwnInvoice, Query(way): Query<Way>) -> Result<Response> {
    shown::code(&invoice, &way)
}

pub fn routes() -> Routes {
    Routes::new()
        .add("/app/billing", get(show))
        .add("/app/billing/history", get(history::index))
        .add("/app/billing/details", get(details::edit).post(details::update))
        .add("/app/billing/early-start", get(early_start::new).post(early_start::create))
        .add("/app/billing/invoices", post(create))
        .add("/app/billing/invoices/{pid}", get(invoice))
        .add("/app/billing/invoices/{pid}/qr", get(code))
}
