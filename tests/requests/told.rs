//! Somebody who goes away while pictures are made is told by their browser, once, and nobody else is.

use reqwest::Method;
use sandbox::{PushFault, PushSubscription};
use sea_orm::ConnectionTrait;

use crate::support::{
    Answer, Html, Setup, TestApp,
    devices::{agree, consent, told},
};

async fn devices(app: &TestApp) -> i64 {
    app.count("SELECT COUNT(*) FROM devices").await
}

/// A consent, a prompt, nobody who looks: one message, signed by us and readable by that browser alone, that says what
/// happened and where, and not a word of the prompt.
#[tokio::test]
async fn one_who_is_away_is_told_once() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let browser = agree(&app, &ada).await;
    assert!(ada.get("/app/account").await.html().text().contains("Turn off"));

    let conversation = ada.ask("a boat under canary-words", &[("batch_size", "2")]).await;
    let told = told(&app).await;

    assert_eq!(told.len(), 1, "{told:?}");
    let message = &told[0];
    assert_eq!(message.endpoint, browser.endpoint);
    assert_eq!(message.json()["title"], "Your 2 pictures are ready");
    let path = message.json()["path"].as_str().unwrap().to_owned();
    assert!(path.starts_with(&format!("{conversation}#turn-")), "{path}");
    assert!(ada.get(&conversation).await.html().has(&format!("[id='{}']", path.split_once('#').unwrap().1)));
    assert!(!message.text.contains("canary"), "{}", message.text);
    assert!(!String::from_utf8_lossy(&message.sealed).contains("ready"));
    assert_eq!(message.contact, "mailto:studio@nproxy.localhost");
    assert!(message.ttl > 0);

    let other = app.sign_in("bo").await;
    other.ask("a hill", &[]).await;
    assert_eq!(self::told(&app).await.len(), 1, "who did not agree is not told, and nobody else is");
    let open = app.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NOT NULL AND noticed_at IS NULL").await;
    assert_eq!(open, 0, "what nobody is to be told of needs no notice");
    app.finish().await;
}

/// A page that shows the end of it, whether it asks by itself or is opened, is all that somebody needs; one in the
/// background shows it to nobody. Who gives it up was there.
#[tokio::test]
async fn one_who_looks_is_not_told() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    agree(&app, &ada).await;
    // What a page asks for by itself.
    let poll = async |run: &str, hidden: bool| -> Html {
        let request = ada.request(Method::GET, &format!("/app/runs/{run}")).header("hx-request", "true");
        ada.send(if hidden { request.header("page-hidden", "true") } else { request }).await.html()
    };
    let asked = async |prompt: &str| {
        let conversation = ada.ask(prompt, &[]).await;
        let id = ada.get(&conversation).await.html().attribute("[id^=run-]", "id");
        (conversation, id["run-".len()..].to_owned())
    };
    let given_up = asked("a sea").await;
    ada.post(&format!("/app/runs/{}/cancellation", given_up.1), &[]).await;
    let (opened, polled, hidden) = (asked("a boat").await, asked("a hill").await, asked("a lake").await);
    for (run, hidden) in [(&polled.1, false), (&hidden.1, true)] {
        assert!(poll(run, hidden).await.has("[hx-trigger^=every]"), "it is at work");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM jobs WHERE class = 'TellDevices'").await, 0);

    app.work();
    app.runs_over().await;
    ada.get(&opened.0).await;
    for (run, hidden) in [(&polled.1, false), (&hidden.1, true)] {
        assert!(!poll(run, hidden).await.has("[hx-trigger^=every]"), "it is over");
    }
    let said = told(&app).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].json()["path"].as_str().unwrap().starts_with(&hidden.0));
    app.finish().await;
}

/// It is tried again while the push service is busy, and said once; a service that takes it and loses the answer gets it
/// again under the same topic, which replaces the first.
#[tokio::test]
async fn a_push_service_that_fails_is_asked_again() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    agree(&app, &ada).await;
    app.sandbox.push().fail(PushFault::Status(429), 1);
    app.sandbox.push().fail(PushFault::Status(503), 2);
    ada.ask("a boat", &[]).await;
    assert_eq!(told(&app).await.len(), 1);
    assert_eq!(app.sandbox.push().answers(), [429, 503, 503, 201]);

    app.sandbox.push().fail(PushFault::Unsaid, 1);
    ada.ask("a hill", &[]).await;
    let said = told(&app).await;
    assert_eq!(said.len(), 3);
    assert_eq!(said[1].topic, said[2].topic, "the second takes the place of the first");
    assert_ne!(said[0].topic, said[1].topic);
    assert_eq!(said[1].json()["tag"], said[2].json()["tag"]);
    assert_eq!(devices(&app).await, 1);

    // What went through once is not said again, whoever runs the job.
    app.ctx
        .db
        .execute_unprepared(
            "UPDATE jobs SET state = 'queued', finished_at = NULL, run_at = created_at WHERE class = 'TellDevices'",
        )
        .await
        .unwrap();
    app.idle().await;
    assert_eq!(app.sandbox.push().messages().len(), 3);
    app.finish().await;
}

/// A browser that takes no more is forgotten; one whose service refuses us is not, and neither is asked again.
#[tokio::test]
async fn a_browser_that_is_gone_is_forgotten() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    for (status, left) in [(403, 1), (410, 0)] {
        if devices(&app).await == 0 {
            agree(&app, &ada).await;
        }
        app.sandbox.push().fail(PushFault::Status(status), 1);
        ada.ask("a boat", &[]).await;
        assert_eq!(told(&app).await, [], "{status}");
        assert_eq!(devices(&app).await, left, "{status}");
    }
    assert_eq!(app.sandbox.push().answers(), [403, 410]);
    assert!(ada.get("/app/account").await.html().has("form[data-push]"), "it can be turned on again");
    app.finish().await;
}

/// Signing out, ending a session from elsewhere, changing the mind and leaving: nothing is sent any more, and nothing is
/// kept.
#[tokio::test]
async fn what_a_session_asked_for_ends_with_it() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let key = ada.get("/app/account").await.html().attribute("form[data-push]", "data-push");
    for _ in 0..2 {
        let answer = ada.post("/app/account/device", &consent(&app.sandbox.push().subscribe(&key))).await;
        assert_eq!(answer.status, 303);
    }
    assert_eq!(devices(&app).await, 1, "one for a session");
    ada.post("/app/account/device/end", &[]).await;
    assert_eq!(devices(&app).await, 0);

    agree(&app, &ada).await;
    ada.post("/logout", &[]).await;
    assert_eq!(devices(&app).await, 0);

    let (here, elsewhere) = (app.sign_in("ada").await, app.sign_in("ada").await);
    agree(&app, &here).await;
    let told_elsewhere = agree(&app, &elsewhere).await;
    here.post("/app/account/sessions/revocation", &[]).await;
    assert_eq!(devices(&app).await, 1);
    here.ask("a boat", &[]).await;
    let said = told(&app).await;
    assert!(said.len() == 1 && said[0].endpoint != told_elsewhere.endpoint, "{said:?}");

    // Over, and nobody has tidied up yet.
    app.ctx.db.execute_unprepared("UPDATE users SET session_epoch = session_epoch + 1").await.unwrap();
    let again = app.sign_in("ada").await;
    again.ask("a hill", &[]).await;
    assert_eq!(told(&app).await.len(), 1);

    agree(&app, &again).await;
    let left = again.post("/app/account/deletion", &[("password", nproxy::models::users::seeds::PASSWORD)]).await;
    assert!(left.status < 400, "{}", left.html().text());
    assert_eq!(devices(&app).await, 0);
    app.finish().await;
}

/// Nobody takes over a browser that is not theirs, ends it, or sends us somewhere inside.
#[tokio::test]
async fn strangers_and_traps_are_refused() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("bo").await);
    let browser = agree(&app, &ada).await;
    let stolen = eve.post("/app/account/device", &consent(&browser)).await;
    assert_eq!(stolen.status, 422);
    eve.post("/app/account/device/end", &[]).await;
    eve.ask("a trap", &[]).await;
    assert_eq!(told(&app).await, [], "nothing of theirs reaches that browser");
    ada.ask("a boat", &[]).await;
    assert_eq!(told(&app).await.len(), 1, "and it hears what is its own");

    let keys = app.sandbox.push().subscribe("anybody");
    for endpoint in [
        "https://127.0.0.1/push/a",
        "https://localhost/push/a",
        "https://169.254.169.254/latest/meta-data",
        "http://push.example.com/a",
        "https://redis:6379/",
        "https://[::1]/",
        "",
    ] {
        let trap = PushSubscription { endpoint: endpoint.to_owned(), ..keys.clone() };
        let answer = eve.post("/app/account/device", &consent(&trap)).await;
        assert_eq!(answer.status, 422, "{endpoint}");
        assert!(answer.html().text().contains("This browser cannot be told"), "{endpoint}");
    }
    let garbled = PushSubscription { p256dh: "AAAA".into(), ..keys };
    assert_eq!(eve.post("/app/account/device", &consent(&garbled)).await.status, 422);
    assert_eq!(devices(&app).await, 1);
    app.finish().await;
}

/// The pair is made once, lies sealed, and is the same for everybody.
#[tokio::test]
async fn the_pair_of_keys_is_one_and_sealed() {
    let app = TestApp::start().await;
    let (ada, bo) = (app.sign_in("ada").await, app.sign_in("bo").await);
    let (a, b) = tokio::join!(ada.get("/app/account"), bo.get("/app/account"));
    let key = |page: &Answer| page.html().attribute("form[data-push]", "data-push");
    assert_eq!(key(&a), key(&b));
    assert_eq!(app.count("SELECT COUNT(*) FROM push_keys WHERE private_enc LIKE 'v1.%'").await, 1);
    app.finish().await;
}
