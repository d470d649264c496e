//! A deleted conversation comes back, while it still can.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;

use crate::{
    controllers::{Result, extractors::OwnRemains},
    models::conversations,
    views,
};

pub(super) async fn create(State(ctx): State<AppContext>, OwnRemains(conversation): OwnRemains) -> Result<Response> {
    // Pressed twice, it is there already.
    let is_back =
        conversation.restore(&ctx.db).await? || conversations::by_id(&ctx.db, conversation.id).await?.is_some();
    let url = if is_back { views::conversations::url(&conversation) } else { "/app/conversations?done=late".into() };
    Ok(Redirect::to(&url).into_response())
}
