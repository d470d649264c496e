//! The web admin, resource by resource and as a whole.

mod activities;
mod bulk;
mod crawl;
pub mod doors;
mod generations;
mod jobs;
mod keys;
mod lists;
mod payments;
mod proxies;
mod shapes;
mod sheets;
mod subscriptions;
mod users;
mod viewing;

use nproxy::models::{
    activities as log,
    users::{self as people, Role},
};
use sandbox::{Fault, gemini::EVERY_KEY};

use crate::support::{Answer, Person, TestApp};

/// Somebody of this role, through the whole door.
pub async fn staff(app: &TestApp, name: &str, role: Role) -> Person {
    app.appoint(name, role).await;
    app.sign_in_staff(name).await
}

/// An admin.
pub async fn admin(app: &TestApp) -> Person {
    staff(app, "cy", Role::Admin).await
}

/// The activities that were written since there were so many.
pub async fn since(app: &TestApp, before: i64) -> Vec<(String, String, String)> {
    let sql = format!(
        "SELECT actor_type || ':' || actor_id || ' ' || activity_type || ' ' || resource_type || ':' || resource_id \
         FROM activities ORDER BY id LIMIT 1000 OFFSET {before}"
    );
    let lines = app.texts(&sql).await;
    let line = |line: &String| {
        let mut words = line.split(' ').map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap(), words.next().unwrap())
    };
    lines.iter().map(line).collect()
}

pub async fn count(app: &TestApp) -> i64 {
    app.count("SELECT COUNT(*) FROM activities").await
}

/// The reason of the newest activity.
pub async fn newest_reason(app: &TestApp, kind: &str, id: i64) -> String {
    let rows = log::about(&app.ctx.db, kind, id).await.unwrap();
    rows[0].detail["reason"].as_str().unwrap_or_default().to_owned()
}

/// Does something and asserts that it left this one activity, by the admin.
pub async fn leaves_one(
    app: &TestApp,
    admin: &people::Model,
    what: &str,
    about: &str,
    doing: impl Future<Output = Answer>,
) -> Answer {
    let before = count(app).await;
    let answer = doing.await;
    let written = since(app, before).await;
    assert_eq!(
        written,
        [(format!("admin:{}", admin.id), what.to_owned(), about.to_owned())],
        "{} {}",
        answer.status,
        answer.html().text()
    );
    answer
}

/// A run of ada's that failed after every key was called.
pub async fn failed_run(app: &TestApp) -> i64 {
    app.sandbox.gemini().fault(EVERY_KEY, Fault::Status { code: 500 });
    let ada = app.sign_in("ada").await;
    ada.make("a secret lighthouse", &[]).await;
    app.sandbox.gemini().heal_all();
    app.sql("UPDATE provider_keys SET state = 'active', cooldown_until = NULL, consecutive_failures = 0, ramp = NULL, incident_id = NULL").await;
    app.sql("DELETE FROM incidents").await;
    app.count("SELECT MAX(id) FROM runs").await
}
