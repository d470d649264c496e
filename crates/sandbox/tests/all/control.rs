use std::time::Duration;

use reqwest::Method;
use sandbox::{Fault, Sandbox, SmtpFault};
use serde_json::{Value, json};

use crate::support::{KEY, MODEL, ask, call, client, start};

async fn control(sandbox: &Sandbox, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = client().request(method, format!("{}{path}", sandbox.url()));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn everything_can_be_steered_over_http() {
    let sandbox = start().await;
    let gemini = sandbox.gemini();
    let set = json!({"key": KEY, "fault": {"kind": "rate_limited", "retry_after_s": 3}, "times": 2});
    assert_eq!(control(&sandbox, Method::POST, "/sandbox/faults", Some(set)).await.0, 204);
    assert_eq!(gemini.faults(), [(KEY.to_owned(), Fault::RateLimited { retry_after_s: Some(3) }, Some(2))]);
    let (_, listed) = control(&sandbox, Method::GET, "/sandbox/faults", None).await;
    assert_eq!(listed["faults"][0]["fault"]["kind"], "rate_limited");
    assert_eq!(control(&sandbox, Method::DELETE, &format!("/sandbox/faults/{KEY}"), None).await.0, 204);
    assert!(gemini.faults().is_empty());
    gemini.fault("a", Fault::Hang);
    control(&sandbox, Method::DELETE, "/sandbox/faults", None).await;
    assert!(gemini.faults().is_empty());
    let unknown = json!({"key": KEY, "fault": {"kind": "earthquake"}});
    assert_eq!(control(&sandbox, Method::POST, "/sandbox/faults", Some(unknown)).await.0, 422);

    control(&sandbox, Method::POST, "/sandbox/latency", Some(json!({"ms": 20}))).await;
    assert_eq!(gemini.current_latency(), Duration::from_millis(20));
    call(&sandbox, MODEL, &ask("over http")).await;
    let (_, calls) = control(&sandbox, Method::GET, "/sandbox/calls", None).await;
    assert_eq!((&calls["calls"][0]["prompt"], &calls["calls"][0]["status"]), (&json!("over http"), &json!(200)));
    assert!(calls["calls"][0]["picture_sha256"].is_string());
    control(&sandbox, Method::DELETE, "/sandbox/calls", None).await;
    assert!(gemini.calls().is_empty());

    control(&sandbox, Method::POST, "/sandbox/smtp", Some(json!({"fault": "reject550"}))).await;
    assert_eq!(sandbox.mail().fault(), Some(SmtpFault::Reject550));
    control(&sandbox, Method::POST, "/sandbox/smtp", Some(json!({"fault": null}))).await;
    assert_eq!(sandbox.mail().fault(), None);
    assert_eq!(control(&sandbox, Method::GET, "/sandbox/mails", None).await.1, json!({"mails": []}));
    assert_eq!(control(&sandbox, Method::DELETE, "/sandbox/mails", None).await.0, 204);
}

#[tokio::test]
async fn the_page_shows_calls_and_escapes_what_came_from_outside() {
    let sandbox = start().await;
    call(&sandbox, MODEL, &ask("<script>alert('x')</script>")).await;
    let get = async |path: &str| client().get(format!("{}{path}", sandbox.url())).send().await.unwrap();
    let page = get("/").await;
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let html = page.text().await.unwrap();
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)") && !html.contains("<script"), "{html}");
    assert!(html.contains("http-equiv=\"refresh\""));
    assert!(!get("/?still").await.text().await.unwrap().contains("http-equiv=\"refresh\""));

    let id = sandbox.gemini().calls()[0].id;
    let picture = get(&format!("/calls/{id}/picture")).await;
    assert_eq!(picture.headers()["content-type"], "image/jpeg");
    assert_eq!(picture.bytes().await.unwrap(), sandbox.gemini().calls()[0].picture.clone().unwrap());
    assert_eq!(get(&format!("/calls/{id}/thumbnail")).await.status(), 200);
    assert_eq!(get("/calls/999/picture").await.status(), 404);
    assert_eq!(get("/style.css").await.headers()["content-type"], "text/css; charset=utf-8");
}

#[tokio::test]
async fn the_forms_work_without_a_script() {
    let sandbox = start().await;
    let send = async |path: &str, body: &'static str| {
        let request = client().post(format!("{}{path}", sandbox.url()));
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap()
    };
    let page = send("/faults", "key=sandbox-one&kind=status&times=2&value=500").await;
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/"), "redirected back");
    assert!(page.text().await.unwrap().contains("2 more"));
    assert_eq!(sandbox.gemini().faults(), [(KEY.to_owned(), Fault::Status { code: 500 }, Some(2))]);
    send("/faults/healing", "key=sandbox-one").await;
    assert!(sandbox.gemini().faults().is_empty());
    send("/faults", "key=&kind=no_funds&times=&value=").await;
    assert_eq!(sandbox.gemini().faults(), [("*".to_owned(), Fault::NoFunds, None)]);
    send("/faults/healing", "").await;
    assert!(sandbox.gemini().faults().is_empty());
    send("/latency", "ms=15").await;
    assert_eq!(sandbox.gemini().current_latency(), Duration::from_millis(15));
    send("/mail/fault", "fault=hang").await;
    assert_eq!(sandbox.mail().fault(), Some(SmtpFault::Hang));
    send("/mail/fault", "fault=").await;
    assert_eq!(sandbox.mail().fault(), None);

    let foreign = client().post(format!("{}/latency", sandbox.url())).header("sec-fetch-site", "cross-site");
    let foreign = foreign.header("content-type", "application/x-www-form-urlencoded").body("ms=1");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
}
