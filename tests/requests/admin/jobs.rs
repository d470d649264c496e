//! Jobs, and what is done about dead ones.

use super::{admin, count, leaves_one};
use crate::support::{Setup, TestApp};

/// F47 to F54: a dead job is found under its scope, retried with all its tries, or discarded with a reason; each once.
#[tokio::test]
async fn dead_jobs_are_retried_or_discarded() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    for class in ["One", "Two"] {
        app.sql(&format!(
            "INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, last_error, created_at, \
             finished_at) SELECT '{class}', '{{\"id\":7}}', 'default', 0, 'dead', created_at, 10, 10, 'boom <b>', created_at, \
             created_at FROM users WHERE email = 'ada@example.com'"
        ))
        .await;
    }
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let [one, two] = [
        app.count("SELECT id FROM jobs WHERE class = 'One'").await,
        app.count("SELECT id FROM jobs WHERE class = 'Two'").await,
    ];
    let dead = cy.get("/admin/jobs?scope=dead").await.html();
    assert_eq!(dead.texts("tbody tr").len(), 2);
    assert!(dead.texts("tbody tr")[0].contains("Dead {\"id\":7} 10 of 10 boom <b>"), "{:?}", dead.texts("tbody tr"));

    let path = format!("/admin/jobs/{one}/retrial");
    leaves_one(&app, &me, "retry_job", &format!("job:{one}"), cy.post(&path, &[])).await;
    let state = format!("SELECT state || ' ' || attempts FROM jobs WHERE id = {one}");
    assert_eq!(app.text(&state).await, "queued 0");
    let before = count(&app).await;
    assert_eq!(cy.post(&path, &[]).await.status, 409, "twice is once");
    assert_eq!(count(&app).await, before);

    let form = cy.get(&format!("/admin/jobs/{two}/discard")).await.html().form("#action");
    let form = form.fill("reason", "of no use");
    assert_eq!(cy.submit(&form).await.status, 422, "its name is to be typed");
    let form = form.fill("confirm", &format!("Two {two}"));
    leaves_one(&app, &me, "discard_job", &format!("job:{two}"), cy.submit(&form)).await;
    assert!(cy.get(&format!("/admin/jobs/{two}")).await.html().lines("#facts").contains("Discarded"));
    assert_eq!(cy.submit(&form).await.status, 409, "twice is once");
    app.finish().await;
}
