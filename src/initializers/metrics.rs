//! `/metrics` for Prometheus, on a port of its own: what it says is for operators, and a proxy in front of the site never
//! has to hide it.

use std::sync::OnceLock;

use async_trait::async_trait;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use loco_rs::{
    Error, Result,
    app::{AppContext, Initializer},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use super::serving::serve_beside;
use crate::{context::Nproxy, models::measures};

/// Pictures take seconds, keys are picked within milliseconds.
const CALLS: [f64; 10] = [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 90.0, 180.0];
const PICKS: [f64; 7] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 2.0];

/// The process has one recorder, however many applications a test starts in it.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

pub struct Metrics;

#[async_trait]
impl Initializer for Metrics {
    fn name(&self) -> String {
        "metrics".into()
    }

    async fn before_run(&self, ctx: &AppContext) -> Result<()> {
        let port = ctx.parts().settings().metrics_port;
        if port == 0 {
            return Ok(());
        }
        let handle = recorder()?;
        let at = format!("{}:{port}", ctx.config.server.binding);
        let listener = TcpListener::bind(&at)
            .await
            .map_err(|e| Error::Message(format!("METRICS_PORT: cannot listen on {at}: {e}")))?;
        tracing::info!(at, "metrics");
        let router = Router::new().route("/metrics", get(show)).with_state((ctx.clone(), handle));
        serve_beside(router, listener);
        Ok(())
    }
}

fn recorder() -> Result<PrometheusHandle> {
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("nproxy_attempt_seconds".into()), &CALLS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full("nproxy_pick_seconds".into()), &PICKS))
        .map_err(Error::wrap)?;
    let recorder = builder.build_recorder();
    let handle = RECORDER.get_or_init(|| recorder.handle()).clone();
    // Somebody else was first: theirs is read.
    let _first = metrics::set_global_recorder(recorder).is_ok();
    measures::describe();
    Ok(handle)
}

/// What was counted here, and what the database says now; without the database, the counts alone would look like all is
/// well, so there is no answer.
async fn show(State((ctx, handle)): State<(AppContext, PrometheusHandle)>) -> Response {
    if let Err(error) = measures::look(&ctx).await {
        tracing::error!(%error, "the metrics could not be read");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    handle.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response()
}
