//! Steering the payment processors over HTTP.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Amount, Courier, Till, Trouble, Troubles, Webhooks,
    btcpay::{WEBHOOK_SECRET, Way},
    nowpayments::PaymentStatus,
};

pub(crate) fn routes(till: &Till) -> Router {
    Router::new()
        .route("/sandbox/time", post(pass))
        .route("/sandbox/btcpay/webhook", post(set_webhook))
        .route("/sandbox/btcpay/invoices", get(invoices))
        .route("/sandbox/btcpay/invoices/{id}", post(act_on_invoice))
        .route("/sandbox/nowpayments/invoices", get(now_invoices))
        .route("/sandbox/nowpayments/invoices/{id}", post(act_on_now_invoice))
        .route("/sandbox/{processor}/webhooks", post(set_webhooks))
        .route("/sandbox/{processor}/release", post(release))
        .route("/sandbox/{processor}/attempts", get(attempts))
        .route("/sandbox/{processor}/trouble", post(set_trouble).delete(heal))
        .with_state(till.clone())
}

impl Till {
    pub(crate) fn courier(&self, processor: &str) -> Option<&Courier> {
        match processor {
            "btcpay" => Some(self.btcpay.courier()),
            "nowpayments" => Some(self.nowpayments.courier()),
            _ => None,
        }
    }

    pub(crate) fn troubles(&self, processor: &str) -> Option<&Troubles> {
        match processor {
            "btcpay" => Some(self.btcpay.troubles()),
            "nowpayments" => Some(self.nowpayments.troubles()),
            _ => None,
        }
    }
}

/// What a person or a test does to an invoice.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    Pay,
    PayLightning,
    PayLess,
    PayMore,
    PayLate,
    Confirm,
    Expire,
    DoubleSpend,
    MarkSettled,
    MarkInvalid,
    Refund,
}

impl Act {
    /// Answers whether there is such an invoice.
    pub(crate) fn on_btcpay(self, till: &Till, id: &str) -> bool {
        let server = &till.btcpay;
        let pay = |way, amount| server.pay(id, way, amount).is_some();
        match self {
            Self::Pay => pay(Way::Chain, Amount::Due),
            Self::PayLightning => pay(Way::Lightning, Amount::Due),
            Self::PayLess => pay(Way::Chain, Amount::Less),
            Self::PayMore => pay(Way::Chain, Amount::More),
            Self::PayLate => server.expire(id) && pay(Way::Chain, Amount::Due),
            Self::Confirm => server.confirm(id),
            Self::Expire => server.expire(id),
            Self::DoubleSpend => {
                let Some(invoice) = server.invoice(id) else { return false };
                if invoice.is_confirmed() {
                    pay(Way::Chain, Amount::Due);
                }
                server.double_spend(id)
            }
            Self::MarkSettled => server.mark(id, true),
            Self::MarkInvalid => server.mark(id, false),
            Self::Refund => server.refund(id),
        }
    }

    /// As [`Self::on_btcpay`]. What a coin has to be chosen for chooses it.
    pub(crate) fn on_nowpayments(self, till: &Till, invoice: u64) -> bool {
        let merchant = &till.nowpayments;
        let newest = merchant.payments(invoice).into_iter().rfind(|it| it.parent.is_none());
        let Some(payment) = newest.map(|it| it.id).or_else(|| merchant.choose(invoice)) else { return false };
        let ended = |status| merchant.become_(payment, status);
        match self {
            Self::Pay | Self::PayLightning => merchant.pay(payment, Amount::Due).is_some(),
            Self::PayLess => merchant.pay(payment, Amount::Less).is_some(),
            Self::PayMore => merchant.pay(payment, Amount::More).is_some(),
            Self::PayLate => ended(PaymentStatus::Expired) && merchant.pay(payment, Amount::Due).is_some(),
            Self::Confirm => {
                merchant.payments(invoice).iter().for_each(|it| merchant.finish(it.id));
                true
            }
            Self::Expire => ended(PaymentStatus::Expired),
            Self::DoubleSpend => ended(PaymentStatus::Failed),
            Self::MarkSettled => ended(PaymentStatus::Finished),
            Self::MarkInvalid => ended(PaymentStatus::Cancelled),
            Self::Refund => ended(PaymentStatus::Refunded),
        }
    }
}

const fn done(found: bool) -> StatusCode {
    if found { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

#[derive(Deserialize)]
struct Pass {
    seconds: u64,
}

async fn pass(State(till): State<Till>, Json(it): Json<Pass>) -> StatusCode {
    till.clock.pass(Duration::from_secs(it.seconds));
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Webhook {
    url: String,
    secret: Option<String>,
}

async fn set_webhook(State(till): State<Till>, Json(it): Json<Webhook>) -> StatusCode {
    till.btcpay.webhook(&it.url, it.secret.as_deref().unwrap_or(WEBHOOK_SECRET));
    StatusCode::NO_CONTENT
}

async fn invoices(State(till): State<Till>) -> Json<Value> {
    let all: Vec<Value> = till.btcpay.invoices().iter().map(|it| it.to_json("", "")).collect();
    Json(json!({ "invoices": all }))
}

async fn now_invoices(State(till): State<Till>) -> Json<Value> {
    let payments = |id| {
        let all = till.nowpayments.payments(id);
        all.iter().map(|it| json!({"id": it.id, "status": it.status, "parent": it.parent})).collect::<Vec<_>>()
    };
    let all: Vec<Value> = till
        .nowpayments
        .invoices()
        .iter()
        .map(|it| json!({"id": it.id, "order_id": it.order_id, "payments": payments(it.id)}))
        .collect();
    Json(json!({ "invoices": all }))
}

#[derive(Deserialize)]
struct What {
    act: Act,
}

async fn act_on_invoice(State(till): State<Till>, Path(id): Path<String>, Json(it): Json<What>) -> StatusCode {
    done(it.act.on_btcpay(&till, &id))
}

async fn act_on_now_invoice(State(till): State<Till>, Path(id): Path<u64>, Json(it): Json<What>) -> StatusCode {
    done(it.act.on_nowpayments(&till, id))
}

#[derive(Deserialize)]
struct SetWebhooks {
    mode: Webhooks,
    /// How often more than once.
    #[serde(default)]
    copies: u32,
}

async fn set_webhooks(State(till): State<Till>, Path(name): Path<String>, Json(it): Json<SetWebhooks>) -> StatusCode {
    let Some(courier) = till.courier(&name) else { return StatusCode::NOT_FOUND };
    courier.webhooks(it.mode);
    courier.duplicate(it.copies);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    reversed: bool,
}

async fn release(State(till): State<Till>, Path(name): Path<String>, Json(it): Json<Release>) -> StatusCode {
    let Some(courier) = till.courier(&name) else { return StatusCode::NOT_FOUND };
    courier.release(|at| if it.reversed { usize::MAX - at } else { at });
    StatusCode::NO_CONTENT
}

async fn attempts(State(till): State<Till>, Path(name): Path<String>) -> Result<Json<Value>, StatusCode> {
    let courier = till.courier(&name).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"attempts": courier.attempts(), "waiting": courier.waiting()})))
}

async fn set_trouble(State(till): State<Till>, Path(name): Path<String>, Json(it): Json<Trouble>) -> StatusCode {
    let Some(troubles) = till.troubles(&name) else { return StatusCode::NOT_FOUND };
    troubles.set(it);
    StatusCode::NO_CONTENT
}

async fn heal(State(till): State<Till>, Path(name): Path<String>) -> StatusCode {
    till.troubles(&name).map(Troubles::heal);
    StatusCode::NO_CONTENT
}
