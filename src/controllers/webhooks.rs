//! Where payment processors report. They are programs: no session, no `Origin`, and the signature over the raw bytes is
//! what lets them in.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use loco_rs::{app::AppContext, controller::Routes};

use crate::models::payment_events::{self, Reception};

async fn btcpay(State(ctx): State<AppContext>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receive(&ctx, "btcpay", &headers, &body).await
}

async fn nowpayments(State(ctx): State<AppContext>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receive(&ctx, "nowpayments", &headers, &body).await
}

/// 200 only for what is written down: on anything else the processor tries again or an operator looks.
async fn receive(ctx: &AppContext, processor: &str, headers: &HeaderMap, body: &Bytes) -> StatusCode {
    match payment_events::receive(ctx, processor, headers, body).await {
        Ok(Reception::Received | Reception::Known | Reception::NotOurs) => StatusCode::OK,
        Ok(Reception::Forged(_)) => StatusCode::UNAUTHORIZED,
        Ok(Reception::NoProcessor) => StatusCode::NOT_FOUND,
        Err(error) => {
            tracing::error!(%error, processor, "a webhook could not be taken in");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

pub fn routes() -> Routes {
    Routes::new().add("/webhooks/btcpay", post(btcpay)).add("/webhooks/nowpayments", post(nowpayments))
}
