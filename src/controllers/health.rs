//! `/up`: the process lives. `/ready`: what it needs answers.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;
use tokio::time::timeout;

use crate::context::Nproxy;

/// A part that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(3);

async fn up() -> Response {
    Json(json!({ "ok": true, "version": env!("CARGO_PKG_VERSION") })).into_response()
}

async fn ready(State(ctx): State<AppContext>) -> Response {
    let database = in_time(async { ctx.db.ping().await.is_ok() }).await;
    let jobs = in_time(async {
        match &ctx.queue_provider {
            Some(queue) => queue.ping().await.is_ok(),
            None => false,
        }
    })
    .await;
    let storage = in_time(async { ctx.parts().store().check().await.is_ok() }).await;
    // Said, but not asked for: without Redis jobs run all the same.
    let parts = ctx.parts();
    let redis = timeout(PATIENCE, parts.jobs().redis_answers()).await.unwrap_or(Some(false));
    let ok = database && jobs && storage;
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = json!({ "ok": ok, "database": database, "jobs": jobs, "storage": storage, "redis": redis });
    (status, Json(answer)).into_response()
}

async fn in_time(check: impl Future<Output = bool>) -> bool {
    timeout(PATIENCE, check).await.unwrap_or(false)
}

pub fn routes() -> Routes {
    Routes::new().add("/up", get(up)).add("/ready", get(ready))
}
