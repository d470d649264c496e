//! Where payment processors report. They are programs: no session, no `Origin`, and the signature over the raw bytes is
//! what lets them in.

use std::time::Duration;

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use loco_rs::{Error, app::AppContext, controller::Routes};
use tokio::time::timeout;

use super::error::Problem;
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
    match received.unwrap_or_else(|late| Err(Error::wrap(late))) {
        Ok(Reception::Received | Reception::Known | Reception::NotOurs) => StatusCode::OK.into_response(),
        Ok(Reception::Forged(_)) => (
            StatusCode::UNAUTHORIZED,
            Extension(Problem {
                code: "bad_signature",
                title: "Not signed by the processor",
                text: "The signature is missing or does not match. Compare the secret here with the processor's."
                    .into(),
                action: None,
            }),
        )
            .into_response(),
        Ok(Reception::NoProcessor) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, processor, "a webhook could not be taken in");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

pub fn routes() -> Routes {
    Routes::new().add("/webhooks/btcpay", post(btcpay)).add("/webhooks/nowpayments", post(nowpayments))
}
