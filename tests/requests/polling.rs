//! Pictures come to whoever waits, and to whoever comes back.

use chrono::{TimeDelta, Utc};
use reqwest::{Method, RequestBuilder, multipart::Form};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{Answer, Filled, Html, Person, Setup, TestApp, eventually};

fn poll(person: &Person, run: &str) -> RequestBuilder {
    person.request(Method::GET, run).header("hx-request", "true")
}

/// A form as htmx sends it from a conversation.
async fn htmx(person: &Person, form: Filled) -> Answer {
    let fields = form.fields.into_iter().fold(Form::new(), |fields, (name, value)| fields.text(name, value));
    let request = person.request(Method::POST, &form.action).header("hx-request", "true");
    person.send(request.header("sec-fetch-site", "same-origin").multipart(fields)).await
}

/// The bytes of an urlencoded prompt, for a connection that is cut.
fn raw_ask(app: &TestApp, person: &Person, token: &str) -> Vec<u8> {
    let body = format!("prompt=a+boat&client_token={token}");
    format!(
        "POST /app/conversations HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nSec-Fetch-Site: same-origin\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        app.url.trim_start_matches("http://"),
        person.cookie().unwrap(),
        body.len(),
    )
    .into_bytes()
}

/// F30: a poll costs nothing while nothing changed, shows what changed, and the last one asks no more.
#[tokio::test]
async fn a_page_asks_until_the_picture_is_there() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a boat", &[]).await;

    let page = ada.get(&conversation).await.html();
    let run = page.attribute("[hx-trigger]", "hx-get");
    let tag = page.attribute("[hx-trigger]", "hx-ptag");
    assert!(page.0.contains(r#"<noscript><meta http-equiv="refresh""#), "without JavaScript the page reloads itself");
    for (name, value) in [("hx-ptag", tag.clone()), ("if-none-match", format!("\"{tag}\""))] {
        let unchanged = ada.send(poll(&ada, &run).header(name, value)).await;
        assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""), "{name}");
    }
    let first = ada.send(poll(&ada, &run)).await;
    assert_eq!((first.status, first.header("hx-ptag")), (200, tag.as_str()));
    assert_eq!(first.header("etag"), format!("\"{tag}\""));
    assert!(first.html().has("[hx-trigger^='every']"));
    assert!(!first.body.contains("<html"), "a fragment, no page");
    assert!(!first.html().has("#allowance"));

    app.work();
    app.idle().await;

    for (name, value) in [("hx-ptag", tag.clone()), ("if-none-match", format!("\"{tag}\""))] {
        let last = ada.send(poll(&ada, &run).header(name, value)).await;
        assert_eq!(last.status, 200, "{name}");
        assert_ne!(last.header("hx-ptag"), tag);
        let fragment = last.html();
        assert!(!fragment.has("[hx-trigger]"), "it asks no more");
        assert!(fragment.has(".cell img"));
        assert_eq!(fragment.texts("#allowance"), ["2 free pictures left"]);
    }
    let page = ada.get(&conversation).await.html();
    assert!(!page.0.contains("http-equiv"));
    assert!(!page.has("[hx-trigger]"));
    let opened = ada.get(&run).await;
    assert_eq!((opened.status, opened.location().split('#').next().unwrap()), (303, conversation.as_str()));
    app.finish().await;
}

/// F30: who is logged out meanwhile is led to the login page, not given a page inside the page.
#[tokio::test]
async fn a_poll_without_a_session_leads_to_the_login() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a boat", &[]).await;
    let run = ada.get(&conversation).await.html().attribute("[hx-trigger]", "hx-get");
    ada.post("/logout", &[]).await;

    let answer = ada.send(poll(&ada, &run)).await;

    assert_eq!(answer.status, 401);
    assert!(answer.header("hx-redirect").starts_with("/login?next="));
    assert!(!answer.body.contains("a boat"));
    app.finish().await;
}

/// F30, F10: that nothing has changed is told to nobody whose session is worth nothing by now, and of nothing that is gone.
#[tokio::test]
async fn an_unchanged_poll_asks_who_polls() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a boat", &[]).await;
    let page = ada.get(&conversation).await.html();
    let run = page.attribute("[hx-trigger]", "hx-get");
    let tag = page.attribute("[hx-trigger]", "hx-ptag");
    let status = async |person: &Person| person.send(poll(person, &run).header("hx-ptag", &tag)).await.status;
    assert_eq!(status(&ada).await, 304);
    assert_eq!(status(&app.sign_in("bo").await).await, 404, "a stranger's run is not found");
    assert_eq!(status(&app.visitor()).await, 401);

    let id = app.user("ada").await.id;
    let (long_ago, soon) = (Utc::now() - TimeDelta::hours(1), Utc::now() + TimeDelta::hours(1));
    app.set_time("sessions", "last_seen_at", long_ago, &format!("user_id = {id}")).await;
    assert_eq!(status(&ada).await, 304);
    let seen = app.time(&format!("SELECT last_seen_at FROM sessions WHERE user_id = {id}")).await;
    assert!(seen > long_ago, "who polls is seen");

    app.set_time("sessions", "expires_at", long_ago, &format!("user_id = {id}")).await;
    assert_eq!(status(&ada).await, 401, "the session is over");
    app.set_time("sessions", "expires_at", soon, &format!("user_id = {id}")).await;
    for (changed, back, expected) in [
        ("UPDATE users SET session_epoch = 7", "UPDATE users SET session_epoch = 0", 401),
        ("UPDATE users SET status = 'blocked'", "UPDATE users SET status = 'activated'", 401),
        ("UPDATE runs SET version = version + 1", "UPDATE runs SET version = version - 1", 200),
    ] {
        app.sql(changed).await;
        assert_eq!(status(&ada).await, expected, "{changed}");
        app.sql(back).await;
        assert_eq!(status(&ada).await, 304, "{back}");
    }
    app.set_time("conversations", "deleted_at", long_ago, "deleted_at IS NULL").await;
    assert_eq!(status(&ada).await, 404, "the conversation is deleted");
    app.sql("UPDATE conversations SET deleted_at = NULL").await;
    app.set_time("sessions", "revoked_at", long_ago, &format!("user_id = {id}")).await;
    assert_eq!(status(&ada).await, 401, "the session was ended");
    app.finish().await;
}

/// F30: whoever closes the window right after sending finds the picture when they come back.
#[tokio::test]
async fn closing_the_window_stops_nothing() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let mut connection = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    connection.write_all(&raw_ask(&app, &ada, "t1")).await.unwrap();
    eventually("the wish", || async { (app.count("SELECT COUNT(*) FROM generations").await == 1).then_some(()) }).await;

    drop(connection);
    app.work();

    let studio = ada.get("/app/conversations").await.html();
    let conversation = studio.attribute("#sidebar nav[aria-label=Conversations] a", "href");
    let page = ada.settled(&conversation).await;
    assert_eq!(page.texts(".bubble")[0], "a boat");
    assert_eq!(page.attributes(".cell img", "src").len(), 1);
    app.finish().await;
}

/// F30: a connection that is cut at any moment leaves all of a wish or nothing, and sending it again makes one picture.
#[tokio::test]
async fn a_cut_connection_leaves_nothing_half_done() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    for _ in 0..12 {
        let mut connection = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
        connection.write_all(&raw_ask(&app, &ada, "t1")).await.unwrap();
        drop(connection);
        tokio::task::yield_now().await;
    }

    let answer = ada.try_ask("a boat", &[("client_token", "t1")], None).await;

    assert_eq!(answer.status, 303);
    assert_eq!(ada.settled(&answer.location()).await.attributes(".cell img", "src").len(), 1);
    app.idle().await;
    for table in ["conversations", "generations", "runs", "holds"] {
        assert_eq!(app.count(&format!("SELECT COUNT(*) FROM {table}")).await, 1, "{table}");
    }
    assert_eq!(app.spent("ada").await, 1);
    app.finish().await;
}

/// F30: a further prompt comes back as a turn with a fresh form for htmx, and as a reload without JavaScript.
#[tokio::test]
async fn a_further_prompt_joins_the_conversation() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    let conversation = bo.ask("a boat", &[("aspect_ratio", "3:4")]).await;
    let page = bo.settled(&conversation).await;
    let used = page.form("#composer").fields;

    let answer = htmx(&bo, page.form("#composer").fill("prompt", "a plane")).await;

    assert_eq!(answer.status, 200);
    let fragment = answer.html();
    assert!(!answer.body.contains("<html"));
    assert_eq!(fragment.texts(".bubble")[0], "a plane");
    assert!(fragment.has("article [hx-get^='/app/runs/']"));
    assert!(answer.body.contains(r##"<hx-partial hx-target="#composer""##));
    let fresh = fragment.form("#composer").fields;
    let token = |fields: &[(String, String)]| fields.iter().find(|(n, _)| n == "client_token").unwrap().1.clone();
    assert_ne!(token(&fresh), token(&used));
    let settings = |fields: &[(String, String)]| {
        fields.iter().filter(|(name, _)| name != "client_token" && name != "prompt").cloned().collect::<Vec<_>>()
    };
    assert_eq!(settings(&fresh), settings(&used), "the settings go on");
    assert!(settings(&fresh).contains(&("aspect_ratio".into(), "3:4".into())));

    let form = bo.get(&conversation).await.html().form("#composer").fill("prompt", "a train");
    let plain = bo.submit(&form).await;
    assert_eq!(plain.status, 303);
    assert!(plain.location().starts_with(&format!("{conversation}#turn-")), "{}", plain.location());
    let page = bo.settled(&conversation).await;
    assert_eq!(page.texts("article .bubble"), ["a boat", "a plane", "a train"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM conversations").await, 1);
    app.finish().await;
}

/// F30: a further prompt that is refused comes back as the form alone, with the reason and the words.
#[tokio::test]
async fn a_refused_further_prompt_keeps_the_words() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a boat", &[]).await;
    let page = ada.settled(&conversation).await;

    let too_many = |page: &Html| page.form("#composer").fill("prompt", "four more").fill("batch_size", "4");

    let answer = htmx(&ada, too_many(&page)).await;

    assert_eq!(answer.status, 402);
    let fragment = answer.html();
    assert_eq!(fragment.texts("#prompt"), ["four more"]);
    assert_eq!(fragment.attribute("[name=batch_size][checked]", "value"), "4");
    assert!(fragment.texts("#composer [role=alert]")[0].starts_with("What you have left does not cover this."));
    assert_eq!(fragment.attribute("#composer [role=alert] a", "href"), "/app/billing", "and where more is to be had");
    assert!(!fragment.has("article") && !answer.body.contains("<html"));
    let plain = ada.submit(&too_many(&ada.get(&conversation).await.html())).await;
    assert_eq!(plain.status, 402);
    assert_eq!(plain.html().texts("article .bubble"), ["a boat"], "the whole page, with what was made");
    assert_eq!(plain.html().texts("#prompt"), ["four more"]);
    assert_eq!(app.spent("ada").await, 1);
    app.finish().await;
}
