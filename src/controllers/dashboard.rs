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
    models::{clock, debts, subscriptions},
    views,
};

async fn show(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, page: Page) -> Result<Response> {
    let cycles = subscriptions::cycles(&ctx.db, user.id, clock::now(&ctx.db).await?).await?;
    let subscription = subscriptions::of(&ctx.db, user.id).await?;
    let plan = views::billing::plan(ctx.parts().catalogue(), &cycles, subscription.as_ref());
    let owes = debts::owes(&ctx.db, user.id).await?;
    let content =
        json!({ "main": views::billing::main_action(&plan, &page.allowance, owes), "plan": plan, "owes": owes });
    page.with_sidebar(&ctx, &user, None).await?.html("dashboard.html", content)
}

pub fn routes() -> Routes {
    Routes::new().add("/app", get(show))
}
