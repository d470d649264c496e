//! `/app`: where things stand.

use axum::{extract::State, response::Response, routing::get};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Result,
    extractors::{CurrentUser, Page},
};
use crate::{
    context::Nproxy,
    models::{clock, debts, invoices},
    views,
};

async fn show(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    let cycles = invoices::cycles(&ctx.db, user.id, clock::now(&ctx.db).await?).await?;
    let plan = views::billing::plan(ctx.parts().catalogue(), &cycles);
    let content = json!({ "plan": plan, "owes": debts::owes(&ctx.db, user.id).await? });
    page.with_sidebar(&ctx, &user, None).await?.html("dashboard.html", content)
}

pub fn routes() -> Routes {
    Routes::new().add("/app", get(show))
}
