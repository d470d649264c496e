//! What I wait for, live.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use super::{
    Result,
    extractors::{CurrentUser, Page},
    runs::{PTAG, has},
};
use crate::{
    context::Nproxy,
    models::{clock, runs},
    views::{
        self,
        queue::{Entry, ptag},
    },
};

async fn index(State(ctx): State<AppContext>, CurrentUser(user): CurrentUser, request: Request) -> Result<Response> {
    let mut entries = Vec::new();
    for (run, generation, conversation) in runs::queue_of(&ctx.db, &user).await? {
        let ahead = if run.state() == runs::State::Queued { runs::ahead(&ctx.db, &run).await? } else { 0 };
        entries.push(Entry { run, generation, conversation, ahead, pace: None });
    }
    let now = clock::now(&ctx.db).await?;
    let tag = ptag(&entries, now);
    if has(request.headers(), &tag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    for entry in entries.iter_mut().filter(|entry| !entry.run.is_final()) {
        entry.pace = runs::pace(&ctx, &entry.generation.model).await?;
    }
    let queue = views::queue::view(&entries, ctx.parts().catalogue(), now, tag.clone())?;
    let page = Page::from_request_parts(&mut request.into_parts().0, &ctx).await?;
    let mut response = if page.is_htmx {
        page.html("queue/_list.html", json!({ "queue": queue }))?
    } else {
        page.with_sidebar(&ctx, &user, None).await?.html("queue/index.html", json!({ "queue": queue }))?
    };
    response.headers_mut().insert(PTAG, HeaderValue::from_str(&tag).map_err(loco_rs::Error::wrap)?);
    Ok(([(header::VARY, "HX-Request")], response).into_response())
}

pub fn routes() -> Routes {
    Routes::new().add("/app/queue", get(index))
}
