//! What comes by push, in a browser that takes it.

use serde_json::json;

use crate::support::{
    Browser, Screen, Scripts, TestApp, Window,
    devices::{agree, told},
    eventually,
};

const NOTICES: &str = "navigator.serviceWorker.ready.then((it) => it.getNotifications()).then((all) => all \
    .map(({ title, data, tag, icon }) => [title, data, tag, new URL(icon).pathname]))";

async fn notices(window: &Window, count: usize) -> serde_json::Value {
    eventually("the notices", || async {
        let all = window.run(NOTICES).await;
        (all.as_array().unwrap().len() == count).then_some(all)
    })
    .await
}

/// Who went elsewhere is shown what became ready, once, and with the way to it; who looks at it is not.
#[tokio::test]
async fn what_became_ready_is_shown() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    agree(&app, &ada).await;
    let conversation = ada.ask("a boat", &[("batch_size", "2")]).await;
    let message = told(&app).await.remove(0);
    let path = message.json()["path"].as_str().unwrap().to_owned();

    let browser = Browser::open(&app).await;
    browser.allow("notifications").await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.lets_workers_start().await;
    window.sign_in("ada").await;
    window.run("navigator.serviceWorker.ready.then(() => true)").await;
    let worker = window.worker().await;
    // The same twice is one: its second coming takes the place of the first.
    for _ in 0..2 {
        window.is_pushed(&worker, &message.text).await;
        let shown = notices(&window, 1).await;
        let ready = json!(["Your 2 pictures are ready", path, message.json()["tag"], "/static/icons/icon-192.png"]);
        assert_eq!(shown, json!([ready]));
    }

    window.open(&conversation).await;
    let other = message.text.replace(message.json()["tag"].as_str().unwrap(), "another");
    window.is_pushed(&worker, &other).await;
    window.open("/app/gallery").await;
    window.is_pushed(&worker, &other.replace("another", "a third")).await;
    let tags: Vec<_> = notices(&window, 2).await.as_array().unwrap().iter().map(|it| it[2].clone()).collect();
    assert!(!tags.contains(&json!("another")), "{tags:?}");
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}
