//! Browsers that agreed to be told, and what they are told.

use sandbox::{PushMessage, PushSubscription};
use sea_orm::ConnectionTrait;

use super::{Person, TestApp, eventually};

/// What a browser says of itself.
pub fn consent(it: &PushSubscription) -> [(&str, &str); 3] {
    [("endpoint", &it.endpoint), ("p256dh", &it.p256dh), ("auth", &it.auth)]
}

/// A browser that agrees, as the script of the account page does it.
pub async fn agree(app: &TestApp, person: &Person) -> PushSubscription {
    let key = person.get("/app/account").await.html().attribute("form[data-push]", "data-push");
    let browser = app.sandbox.push().subscribe(&key);
    let answer = person.post("/app/account/device", &consent(&browser)).await;
    assert_eq!((answer.status, answer.location().as_str()), (303, "/app/account?done=device"), "{}", answer.body);
    browser
}

/// Everything that waits is due: nobody in a test looks at a clock for seconds.
async fn hurry(app: &TestApp) {
    let due = "UPDATE jobs SET run_at = created_at WHERE state = 'queued' AND class IN ('TellDevices', 'TellDevice')";
    app.ctx.db.execute_unprepared(due).await.unwrap();
}

/// The jobs about it are done.
pub async fn told(app: &TestApp) -> Vec<PushMessage> {
    app.runs_over().await;
    eventually("the jobs", || async {
        hurry(app).await;
        (app.count("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')").await == 0).then_some(())
    })
    .await;
    app.sandbox.push().messages()
}
