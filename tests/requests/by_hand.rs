//! A payment that no machine takes: arranged with a human, who says what arrived.

use chrono::{TimeDelta, Utc};
use nproxy::models::{
    activities::Actor,
    invoices::{self, Applied, Marking, State},
};

use crate::support::{Setup, TestApp};

async fn app() -> TestApp {
    let chat = "https://t.me/nproxy_support";
    TestApp::with(Setup { jobs: false, manual_payment_url: chat, ..Setup::default() }).await
}

/// C3, F15, F49: the invoice leads to a human and waits for days; the poller, the nightly comparison and "check again" change
/// nothing about it; an operator's word pays it, once, and the month begins.
#[tokio::test]
async fn it_is_arranged_and_confirmed() {
    let app = app().await;
    let ada = app.sign_in("ada").await;
    let billing = ada.get("/app/billing").await.html();
    assert!(billing.text().contains("Pay by arrangement"), "{}", billing.text());
    let path = app.bill(&ada, "manual").await;
    let invoice = app.invoice(&path).await;
    assert_eq!((invoice.state(), invoice.processor_ref.as_deref()), (State::New, Some(invoice.order_id().as_str())));
    assert!(invoice.expires_at > Utc::now() + TimeDelta::days(6));
    let page = ada.get(&path).await.html();
    assert_eq!(page.attribute("main a.btn-primary", "href"), "https://t.me/nproxy_support");
    assert!(page.text().contains(&invoice.order_id()) && !page.text().contains("We are watching"), "{}", page.text());
    assert_eq!(ada.get(&format!("{path}/qr")).await.status, 200);
    assert_eq!(app.bill(&ada, "manual").await, path, "one open invoice");

    assert_eq!(invoices::apply(&app.ctx, invoice.id).await.unwrap(), Applied::Stands(State::New, false));
    app.sql(&format!("UPDATE invoices SET next_poll_at = created_at WHERE id = {}", invoice.id)).await;
    assert_eq!(invoices::poll(&app.ctx).await.unwrap(), (1, 0));
    assert_eq!(invoices::reconcile(&app.ctx).await.unwrap(), []);
    assert_eq!(app.months().await, 0);

    let mark = || invoices::mark_paid(&app.ctx, &invoice, &Actor::Cli, "cash at the meetup");
    assert!(matches!(mark().await.unwrap(), Marking::Marked(_)));
    assert_eq!(mark().await.unwrap(), Marking::AlreadyPaid);
    assert_eq!((app.months().await, invoices::reconcile(&app.ctx).await.unwrap()), (1, vec![]));
    let receipt = ada.get(&path).await.html();
    assert!(receipt.text().contains("Paid. Thank you") && receipt.text().contains("By arrangement"));
    app.finish().await;
}

/// Nobody can send a webhook for it, and where no address is set it is not on offer.
#[tokio::test]
async fn it_has_no_wire() {
    let app = app().await;
    assert_eq!(app.post_webhook("manual", "{}".into(), sandbox::btcpay::WEBHOOK_SECRET).await, 404);
    app.finish().await;
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    assert!(!ada.get("/app/billing").await.html().text().contains("arrangement"));
    assert_eq!(ada.post("/app/billing/invoices", &[("processor", "manual")]).await.status, 422);
    app.finish().await;
}
