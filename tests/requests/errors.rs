//! What a person, or a program, gets to read when a request does not work.

use reqwest::Method;
use serde_json::Value;

use crate::support::TestApp;

/// an address that is not there is a page that helps, with the reference that the log has.
#[tokio::test]
async fn a_wrong_address_is_a_page() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    for (path, back) in [("/nothing/here", "/"), ("/app/nothing", "/app/conversations"), ("/register/", "/")] {
        let answer = visitor.get(path).await;
        let page = answer.html();
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.texts("h1"), ["There is nothing here"]);
        assert_eq!(page.texts("code"), [answer.header("x-request-id")]);
        assert_eq!(page.attribute("main a.btn", "href"), back);
    }
    let (one, two) = (visitor.get("/nothing").await, visitor.get("/nothing").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    app.finish().await;
}

/// a program gets the same as JSON with a code that stays.
#[tokio::test]
async fn a_program_gets_json() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let client = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", app.url);
    let never_was = format!("/app/conversations/{}", uuid::Uuid::new_v4());
    for (request, status, code) in [
        (client.get(url("/nothing")), 404, "not_found"),
        (client.get(url(&never_was)).header("cookie", ada.cookie().unwrap()), 404, "not_found"),
        (client.delete(url("/login")), 405, "method_not_allowed"),
        (client.post(url("/login")).header("origin", "https://evil.example"), 403, "cross_site"),
        (client.post(url("/login")).form(&[("email", "x".repeat(100_000))]), 413, "too_large"),
        (client.get(url("/app/conversations?look=x")).header("cookie", ada.cookie().unwrap()), 400, "bad_request"),
    ] {
        for accept in ["application/json", "*/*"] {
            let response = request.try_clone().unwrap().header("accept", accept).send().await.unwrap();
            assert_eq!(response.status(), status, "{code}");
            assert_eq!(response.headers()["content-type"], "application/json");
            let reference = response.headers()["x-request-id"].to_str().unwrap().to_owned();
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["error"]["code"], code);
            assert_eq!(body["error"]["reference"], reference);
            assert!(!body["error"]["message"].as_str().unwrap().is_empty());
        }
    }
    app.finish().await;
}

/// a form that is far too large is a page, not a cut connection, and nothing of it is shown back.
#[tokio::test]
async fn a_huge_form_is_refused() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    let huge = "x".repeat(200_000);
    for path in ["/login", "/register", "/password/forgot", "/password/reset", "/activation"] {
        let answer = visitor.post(path, &[("email", &huge), ("password", &huge), ("token", &huge)]).await;
        assert_eq!(answer.status, 413, "{path}");
        assert_eq!(answer.html().texts("h1"), ["That is too large"]);
        assert!(answer.body.len() < 20_000);
    }
    app.finish().await;
}

/// bodies that no browser of ours sends are answered with a page too.
#[tokio::test]
async fn a_strange_body_is_answered() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    for (path, kind, body) in [
        ("/login", "application/json", "{}"),
        ("/login", "application/x-www-form-urlencoded", "email=a&email=b"),
        ("/app/conversations", "multipart/form-data", "no boundary"),
        ("/app/conversations", "multipart/form-data; boundary=x", "--x\r\nnot multipart"),
        ("/app/conversations", "text/plain", "prompt=a"),
    ] {
        let answer = ada.send(ada.request(Method::POST, path).header("content-type", kind).body(body)).await;
        assert!((400..500).contains(&answer.status), "{path} {kind}: {}", answer.status);
        assert_eq!(answer.html().texts("code"), [answer.header("x-request-id")], "{path} {kind}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM generations").await, 0);
    app.finish().await;
}

/// whatever somebody types is shown as it was typed: it is neither a template nor part of the page.
#[tokio::test]
async fn words_stay_words() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let prompt = "{{1234*5678}} {% raw %} ${1234*5678} <script>alert(1)</script> \"'><img src=x onerror=alert(1)> &amp; &lt;b&gt;";

    let conversation = ada.ask(prompt, &[]).await;
    let page = ada.settled(&conversation).await;

    assert_eq!(page.texts("article .bubble"), [prompt]);
    let picture = ada.get(&page.attribute(".cell a", "href")).await;
    assert_eq!(picture.html().texts("#prompt"), [prompt]);
    assert_eq!(picture.html().attribute("main img", "alt"), prompt);
    let again = ada.get(&page.attribute("article a[href*='from=']", "href")).await;
    assert_eq!(again.html().texts("#prompt"), [prompt]);
    let refused = ada.try_ask(prompt, &[("batch_size", "9")], None).await;
    assert_eq!(refused.html().texts("#prompt"), [prompt]);
    let title = ada.get("/app").await;
    for answer in [&ada.get(&conversation).await, &picture, &again, &refused, &title] {
        let html = answer.html();
        assert_eq!(answer.body.matches("<script>").count(), 0);
        assert!(!html.has("img[onerror]"));
        assert!(!answer.body.contains("7006652"), "nothing was calculated");
    }
    assert_eq!(app.sandbox.gemini().calls()[0].prompt, prompt);

    let search = "/app/conversations?prompt=%7B%7B7*7%7D%7D%3C%2Ftextarea%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let offered = ada.get(search).await;
    assert_eq!(offered.html().texts("#prompt"), ["{{7*7}}</textarea><script>alert(1)</script>"]);
    let email = "\"><script>alert(1)</script>@example.com";
    let login = app.visitor().post("/login", &[("email", email), ("password", "x")]).await;
    assert_eq!(login.html().value("email"), email);
    assert!(!login.body.contains("<script>"));
    app.finish().await;
}
