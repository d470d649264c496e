//! The plan and what is left. Prices are shown only here, to people who are signed in.

use axum::{extract::State, response::Response, routing::get};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Result,
    extractors::{CurrentUser, Page},
};
use crate::{
    context::Nproxy,
    models::{allowances, debts},
    views,
};

async fn show(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    let current = allowances::current(&ctx.db, user.id).await?;
    let plan = views::billing::plan(ctx.parts().catalogue(), &current);
    let content = json!({ "plan": plan, "owes": debts::owes(&ctx.db, user.id).await?, "checkout": null });
    page.with_sidebar(&ctx, &user, None).await?.html("billing/index.html", content)
}

pub fn routes() -> Routes {
    Routes::new().add("/app/billing", get(show))
}
