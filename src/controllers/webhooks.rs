//! Where payment processors report. They are programs: no session, no `Origin`, and the signature over the raw bytes is
//! what lets them in.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use loco_rs::{app::AppContext, controller::Routes};
use tokio::time::timeout;

use super::Error;
use crate::{
    context::Nproxy,
    models::payment_events::{self, Reception},
};

async fn btcpay(State(ctx): State<AppContext>, headers: HeaderMap, body: Bytes) -> Response {
    receive(&ctx, "btcpay", &headers, &body).await
}

async fn nowpayments(State(ctx): State<AppContext>, headers: HeaderMap, body: Bytes) -> Response {
    receive(&ctx, "nowpayments", &headers, &body).await
}

/// 200 only for what is written down: on anything else the processor tries again or an operator looks. It hears so while it
/// listens: after twice the time that a request waits for a connection, also if a database that stands still has the answer.
async fn receive(ctx: &AppContext, processor: &str, headers: &HeaderMap, body: &Bytes) -> Response {
    let patience = Duration::from_millis(ctx.parts().config().database.connect_timeout) * 2;
    let received = timeout(patience, payment_events::receive(ctx, processor, headers, body)).await;
    match received.unwrap_or_else(|late| Err(loco_rs::Error::wrap(late))) {
        Ok(Reception::Received | Reception::Known | Reception::NotOurs) => StatusCode::OK.into_response(),
        Ok(Reception::Forged(_)) => Error::Forged.into_response(),
        Ok(Reception::NoProcessor) => Error::NotFound.into_response(),
        Err(error) => {
            tracing::error!(%error, processor, "a webhook could not be taken in");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

pub fn routes() -> Routes {
    Routes::new().add("/webhooks/btcpay", post(btcpay)).add("/webhooks/nowpayments", post(nowpayments))
}
