use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use reqwest::Method;
use sandbox::{
    Amount, Options, Sandbox, Spoil, Webhooks,
    btcpay::{API_KEY, Additional, STORE_ID, Status, Way},
    nowpayments::PaymentStatus,
};
use serde_json::{Value, json};

use crate::support::client;

const PATIENCE: Duration = Duration::from_secs(20);

/// A shop that answers what it is told to, the last answer for ever.
#[derive(Clone)]
struct Shop(Arc<Mutex<Vec<u16>>>);

impl Shop {
    async fn open(answers: &[u16]) -> (Self, String) {
        let shop = Self(Arc::new(Mutex::new(answers.iter().rev().copied().collect())));
        let routes = Router::new().route("/hook", post(Self::answer)).with_state(shop.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (shop, format!("http://{address}/hook"))
    }

    async fn answer(State(shop): State<Self>, _body: String) -> StatusCode {
        let mut answers = shop.0.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop().unwrap() } else { answers[0] };
        StatusCode::from_u16(next).unwrap()
    }
}

async fn start(hook: &str) -> Sandbox {
    Sandbox::start(Options { btcpay_webhook: hook.to_owned(), ..Options::default() }).await.unwrap()
}

async fn btcpay(sandbox: &Sandbox, method: Method, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/api/v1/stores/{STORE_ID}{path}", sandbox.url());
    let request = client().request(method, url).header("authorization", format!("token {API_KEY}")).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// An invoice of 9.99 for fifteen minutes.
async fn invoice(sandbox: &Sandbox) -> String {
    let ask = json!({"amount": "9.99", "currency": "USD", "metadata": {"orderId": "o1", "itemDesc": "A <month>"},
        "checkout": {"expirationMinutes": 15, "monitoringMinutes": 60, "redirectURL": "http://shop.example.com/{OrderId}"}});
    let (status, invoice) = btcpay(sandbox, Method::POST, "/invoices", ask).await;
    assert_eq!(status, 200, "{invoice}");
    invoice["id"].as_str().unwrap().to_owned()
}

fn kinds(sandbox: &Sandbox) -> Vec<String> {
    sandbox.btcpay().courier().attempts().into_iter().map(|it| it.kind).collect()
}

async fn told(sandbox: &Sandbox) -> Vec<String> {
    assert!(sandbox.btcpay().courier().idle(PATIENCE).await);
    kinds(sandbox)
}

fn stands(sandbox: &Sandbox, id: &str) -> (Status, Additional) {
    let it = sandbox.btcpay().invoice(id).unwrap();
    (it.status, it.additional)
}

#[tokio::test]
async fn greenfield_speaks_as_the_real_one() {
    let sandbox = start("").await;
    let id = invoice(&sandbox).await;
    let (_, one) = btcpay(&sandbox, Method::GET, &format!("/invoices/{id}"), Value::Null).await;
    assert_eq!((&one["amount"], &one["paidAmount"], &one["status"]), (&json!("9.99"), &json!("0"), &json!("New")));
    assert_eq!(one["expirationTime"].as_i64().unwrap() - one["createdTime"].as_i64().unwrap(), 15 * 60);
    let (_, found) = btcpay(&sandbox, Method::GET, "/invoices?orderId=o1&take=1", Value::Null).await;
    assert_eq!(found[0]["id"], json!(id));
    assert_eq!(btcpay(&sandbox, Method::GET, "/invoices?orderId=o2", Value::Null).await.1, json!([]));
    let (status, error) = btcpay(&sandbox, Method::GET, "/invoices/none", Value::Null).await;
    assert_eq!((status, &error["code"]), (404, &json!("invoice-not-found")));
    let (status, error) = btcpay(&sandbox, Method::POST, "/invoices", json!({"amount": "x"})).await;
    assert_eq!((status, &error[0]["path"]), (422, &json!("amount")));
    let plain = client().get(format!("{}/api/v1/invoices/{id}", sandbox.url()));
    assert_eq!(plain.send().await.unwrap().status(), 401);
    let modern = client().get(format!("{}/api/v1/invoices/{id}", sandbox.url()));
    assert_eq!(modern.header("authorization", format!("token {API_KEY}")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_invoice_lives_as_invoices_live() {
    let (_shop, hook) = Shop::open(&[200]).await;
    let sandbox = start(&hook).await;
    let server = sandbox.btcpay();

    // Processing falls back to new, and nobody is told.
    let id = invoice(&sandbox).await;
    server.pay(&id, Way::Chain, Amount::Due).unwrap();
    assert_eq!(stands(&sandbox, &id), (Status::Processing, Additional::None));
    let before = told(&sandbox).await;
    assert_eq!(before, ["InvoiceCreated", "InvoiceReceivedPayment", "InvoiceProcessing"]);
    server.double_spend(&id);
    assert_eq!(stands(&sandbox, &id), (Status::New, Additional::None));
    assert_eq!(told(&sandbox).await, before);

    // Partly, then too much, then expired without effect.
    server.pay(&id, Way::Chain, Amount::Less).unwrap();
    assert_eq!(stands(&sandbox, &id), (Status::New, Additional::PaidPartial));
    server.pay(&id, Way::Lightning, Amount::More).unwrap();
    assert_eq!(stands(&sandbox, &id), (Status::Processing, Additional::PaidOver));
    server.confirm(&id);
    assert_eq!(stands(&sandbox, &id), (Status::Settled, Additional::PaidOver));
    assert_eq!(told(&sandbox).await.last().unwrap(), "InvoiceSettled");
    sandbox.clock().pass(Duration::from_secs(100_000));
    assert_eq!(stands(&sandbox, &id), (Status::Settled, Additional::PaidOver));

    // Expired in part, then completed: late, and never settled.
    let id = invoice(&sandbox).await;
    server.pay(&id, Way::Chain, Amount::Less).unwrap();
    sandbox.clock().pass(Duration::from_secs(901));
    assert_eq!(stands(&sandbox, &id), (Status::Expired, Additional::PaidPartial));
    let so_far = told(&sandbox).await;
    assert_eq!(so_far[so_far.len() - 2..], ["InvoiceExpired", "InvoiceExpiredPaidPartial"]);
    server.pay(&id, Way::Chain, Amount::Due).unwrap();
    server.confirm(&id);
    assert_eq!(stands(&sandbox, &id), (Status::Expired, Additional::PaidLate));
    let late = told(&sandbox).await.split_off(so_far.len());
    let order =
        ["InvoiceReceivedPayment", "InvoicePaidAfterExpiration", "InvoicePaymentSettled", "InvoicePaymentSettled"];
    assert_eq!(late, order);

    // Watched to the end and never confirmed.
    let id = invoice(&sandbox).await;
    server.pay(&id, Way::Chain, Amount::Due).unwrap();
    sandbox.clock().pass(Duration::from_secs(5_000));
    assert_eq!(stands(&sandbox, &id), (Status::Invalid, Additional::None));
    let (status, marked) =
        btcpay(&sandbox, Method::POST, &format!("/invoices/{id}/status"), json!({"status": "Settled"})).await;
    assert_eq!((status, &marked["additionalStatus"]), (200, &json!("Marked")));
    btcpay(&sandbox, Method::POST, &format!("/invoices/{id}/refund"), json!({})).await;
    assert_eq!(told(&sandbox).await.last().unwrap(), "InvoiceRefund");
}

#[tokio::test]
async fn deliveries_wait_for_the_one_before_them() {
    let (_shop, hook) = Shop::open(&[503, 408, 429, 200]).await;
    let sandbox = start(&hook).await;
    let id = invoice(&sandbox).await;
    sandbox.btcpay().pay(&id, Way::Lightning, Amount::Due).unwrap();
    for (pause, tries) in [(0, 1), (11, 2), (61, 3), (601, 7)] {
        sandbox.clock().pass(Duration::from_secs(pause));
        let enough = async {
            while sandbox.btcpay().courier().attempts().len() < tries {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.unwrap();
    }
    assert!(sandbox.btcpay().courier().idle(PATIENCE).await);
    let attempts = sandbox.btcpay().courier().attempts();
    let statuses: Vec<u16> = attempts.iter().filter_map(|it| it.status).collect();
    assert_eq!(statuses[..4], [503, 408, 429, 200]);
    assert!(attempts[..4].iter().all(|it| it.kind == "InvoiceCreated" && it.original == attempts[0].original));
    assert_ne!(attempts[0].delivery, attempts[1].delivery);
    let bodies: Vec<Value> = attempts.iter().map(|it| serde_json::from_str(&it.body).unwrap()).collect();
    assert_eq!((&bodies[0]["isRedelivery"], &bodies[1]["isRedelivery"]), (&json!(false), &json!(true)));
    assert_eq!(attempts[4].kind, "InvoiceReceivedPayment", "only now");
}

#[tokio::test]
async fn a_refusal_is_final() {
    let (_shop, hook) = Shop::open(&[401, 200]).await;
    let sandbox = start(&hook).await;
    invoice(&sandbox).await;
    assert!(sandbox.btcpay().courier().idle(PATIENCE).await);
    sandbox.clock().pass(Duration::from_secs(100_000));
    assert_eq!(told(&sandbox).await, ["InvoiceCreated"]);
}

#[tokio::test]
async fn webhooks_are_lost_doubled_and_turned_around() {
    let (_shop, hook) = Shop::open(&[200]).await;
    let sandbox = start(&hook).await;
    let (server, courier) = (sandbox.btcpay(), sandbox.btcpay().courier());
    courier.webhooks(Webhooks::Off);
    let id = invoice(&sandbox).await;
    assert!(told(&sandbox).await.is_empty());
    courier.webhooks(Webhooks::Held);
    server.pay(&id, Way::Lightning, Amount::Due).unwrap();
    assert!(told(&sandbox).await.is_empty());
    assert_eq!(courier.release(|at| usize::MAX - at), 4);
    let turned = ["InvoiceSettled", "InvoicePaymentSettled", "InvoiceProcessing", "InvoiceReceivedPayment"];
    assert_eq!(told(&sandbox).await, turned);
    courier.webhooks(Webhooks::On);
    courier.duplicate(2);
    server.refund(&id);
    assert_eq!(told(&sandbox).await[4..], ["InvoiceRefund"; 3]);
}

#[tokio::test]
async fn nowpayments_payments_live_as_payments_live() {
    let (_shop, hook) = Shop::open(&[200]).await;
    let sandbox = start("").await;
    let merchant = sandbox.nowpayments();
    let ask = json!({"price_amount": 9.99, "price_currency": "usd", "order_id": "o1", "ipn_callback_url": hook,
        "success_url": "http://shop.example.com/", "is_fixed_rate": false});
    let request = client().post(format!("{}/v1/invoice", sandbox.url())).json(&ask);
    assert_eq!(request.try_clone().unwrap().send().await.unwrap().status(), 403);
    let answer = request.header("x-api-key", sandbox::nowpayments::API_KEY).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["price_amount"], "9.99");
    let invoice: u64 = answer["id"].as_str().unwrap().parse().unwrap();

    let payment = merchant.choose(invoice).unwrap();
    merchant.pay(payment, Amount::Less).unwrap();
    merchant.finish(payment);
    assert_eq!(merchant.payment(payment).unwrap().status, PaymentStatus::PartiallyPaid);
    let again = merchant.pay(payment, Amount::Due).unwrap();
    assert_ne!(again, payment);
    merchant.finish(again);
    let child = merchant.payment(again).unwrap();
    assert_eq!((child.parent, child.status, child.price_minor), (Some(payment), PaymentStatus::Finished, 499));
    assert_eq!(merchant.payment(payment).unwrap().children, [again]);
    let forgotten = merchant.choose(invoice).unwrap();
    sandbox.clock().pass(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(merchant.payment(forgotten).unwrap().status, PaymentStatus::Expired);
    assert!(merchant.courier().idle(PATIENCE).await);
    let kinds: Vec<String> = merchant.courier().attempts().into_iter().map(|it| it.kind).collect();
    assert_eq!(kinds[..3], ["waiting", "confirming", "partially_paid"]);
    assert_eq!(kinds.last().unwrap(), "expired");
    let body = &merchant.courier().attempts()[0].body;
    assert!(body.starts_with("{\"payment_id\":") && body.contains("\"fee\":{\"currency\""), "unsorted: {body}");
}

#[tokio::test]
async fn a_person_pays_on_the_page() {
    let sandbox = start("").await;
    let id = invoice(&sandbox).await;
    let url = format!("{}/i/{id}", sandbox.url());
    let page = client().get(&url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("9.99 USD") && page.contains("A &lt;month&gt;") && page.contains("Waiting for payment"));
    for words in ["Pay", "Pay too little", "Pay too much", "Pay late", "Let it expire", "Double-spend"] {
        assert!(page.contains(&format!(">{words}</button>")), "{words}");
    }
    assert!(page.contains("href=\"http://shop.example.com/o1\""));
    let act = async |act: &'static str| {
        let request = client().post(format!("{url}/acts")).header("content-type", "application/x-www-form-urlencoded");
        request.body(format!("act={act}")).send().await.unwrap().text().await.unwrap()
    };
    assert!(act("pay_less").await.contains("Paid in part"));
    assert!(act("double_spend").await.contains("Waiting for payment"));
    assert!(act("pay_late").await.contains("Paid after the end, waiting for blocks"));
    assert!(act("confirm").await.contains("Paid after the end</span>"));
    let foreign = client().post(format!("{url}/acts")).header("sec-fetch-site", "cross-site").body("act=pay");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    assert_eq!(client().get(format!("{}/i/none", sandbox.url())).send().await.unwrap().status(), 404);

    let overview = client().get(format!("{}/payments", sandbox.url())).send().await.unwrap().text().await.unwrap();
    assert!(overview.contains(&format!("/i/{id}")) && overview.contains("Expired, PaidLate"), "{overview}");
}

#[tokio::test]
async fn blocks_are_found_by_themselves_when_asked_for() {
    let options = Options { confirm_after: Some(Duration::from_secs(3)), ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let id = invoice(&sandbox).await;
    sandbox.btcpay().pay(&id, Way::Chain, Amount::Due).unwrap();
    assert_eq!(stands(&sandbox, &id).0, Status::Processing);
    sandbox.clock().pass(Duration::from_secs(3));
    assert_eq!(stands(&sandbox, &id).0, Status::Settled);
}

#[tokio::test]
async fn the_till_is_steered_over_http() {
    let sandbox = start("").await;
    let id = invoice(&sandbox).await;
    let send = async |path: &str, body: Value| {
        client().post(format!("{}/sandbox/{path}", sandbox.url())).json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(send("btcpay/webhook", json!({"url": "http://127.0.0.1:1/"})).await, 204);
    assert_eq!(sandbox.btcpay().webhook_url(), "http://127.0.0.1:1/");
    assert_eq!(send("btcpay/webhooks", json!({"mode": "off"})).await, 204);
    assert_eq!(sandbox.btcpay().courier().mode(), Webhooks::Off);
    assert_eq!(send(&format!("btcpay/invoices/{id}"), json!({"act": "pay_lightning"})).await, 204);
    assert_eq!(stands(&sandbox, &id).0, Status::Settled);
    assert_eq!(send("btcpay/invoices/none", json!({"act": "pay"})).await, 404);
    assert_eq!(send("btcpay/trouble", json!({"spoil": {"kind": "status", "code": 503}, "times": 1})).await, 204);
    assert_eq!(sandbox.btcpay().troubles().now().unwrap().spoil, Spoil::Status { code: 503 });
    let spoilt = client().get(format!("{}/api/v1/invoices/{id}", sandbox.url())).send().await.unwrap();
    assert_eq!(spoilt.status(), 503);
    assert_eq!(sandbox.btcpay().troubles().now(), None);
    assert_eq!(send("nobody/webhooks", json!({"mode": "off"})).await, 404);
    let before = sandbox.clock().now();
    assert_eq!(send("time", json!({"seconds": 3600})).await, 204);
    assert!((sandbox.clock().now() - before).num_seconds() >= 3600);
}
