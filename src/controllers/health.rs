//! `/up`: the process lives. `/ready`: what it needs answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::timeout};

use crate::context::Nproxy;

/// A part that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(3);

/// Anybody may ask: however many do, the parts are asked no more often than this.
const ASKED_EVERY: Duration = Duration::from_secs(1);

async fn up() -> Response {
    Json(json!({ "ok": true, "version": env!("CARGO_PKG_VERSION") })).into_response()
}

/// What was found out last.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<Option<(Instant, StatusCode, Value)>>>);

async fn ready(State(ctx): State<AppContext>) -> Response {
    let readiness = ctx.shared_store.get::<Readiness>().unwrap_or_default();
    let mut last = readiness.0.lock().await;
    let (status, answer) = match &*last {
        Some((at, status, answer)) if at.elapsed() < ASKED_EVERY => (*status, answer.clone()),
        _ => {
            let (status, answer) = look(&ctx).await;
            *last = Some((Instant::now(), status, answer.clone()));
            (status, answer)
        }
    };
    (status, Json(answer)).into_response()
}

async fn look(ctx: &AppContext) -> (StatusCode, Value) {
    let parts = ctx.parts();
    let jobs = async {
        match &ctx.queue_provider {
            Some(queue) => queue.ping().await.is_ok(),
            None => false,
        }
    };
    let (database, jobs, storage, redis) = tokio::join!(
        in_time(async { ctx.db.ping().await.is_ok() }),
        in_time(jobs),
        in_time(async { parts.store().check().await.is_ok() }),
        // Said, but not asked for: without Redis jobs run all the same.
        timeout(PATIENCE, parts.jobs().redis_answers()),
    );
    let ok = database && jobs && storage;
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let redis = redis.unwrap_or(Some(false));
    (status, json!({ "ok": ok, "database": database, "jobs": jobs, "storage": storage, "redis": redis }))
}

async fn in_time(check: impl Future<Output = bool>) -> bool {
    timeout(PATIENCE, check).await.unwrap_or(false)
}

pub fn routes() -> Routes {
    Routes::new().add("/up", get(up)).add("/ready", get(ready))
}
