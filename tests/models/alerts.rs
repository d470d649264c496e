//! What admins hear of about jobs that were given up, and when it is over.

use chrono::{TimeDelta, Utc};
use nproxy::models::{
    activities::Actor,
    alerts::{self, Kind},
    jobs,
};

use crate::support::{Setup, TestApp};

const POLL: &str = r#"{"task":"invoice_poll","vars":{}}"#;
const REFRESH: &str = r#"{"task":"provider_balance_refresh","vars":{"key":"7"}}"#;

/// F59: a task that fails again and again is told of once. It is over with the next of its jobs that is done, and nobody
/// has to retry those that are dead; what another task does says nothing of it.
#[tokio::test]
async fn a_task_that_fails_is_told_of_once() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    for _ in 0..3 {
        ended(&app, "RunTask", POLL, "dead").await;
        assert_eq!(wrong(&app).await, ["A task fails: invoice_poll"]);
    }
    ended(&app, "RunTask", REFRESH, "done").await;
    ended(&app, "RunTask", REFRESH, "dead").await;
    let both = ["A task fails: invoice_poll", "A task fails: provider_balance_refresh key:7"];
    assert_eq!(wrong(&app).await, both);
    ended(&app, "RunTask", POLL, "done").await;
    assert_eq!(wrong(&app).await, both[1..]);
    assert_eq!(told(&app).await, 2);

    ended(&app, "RunTask", POLL, "dead").await;
    ended(&app, "RunTask", POLL, "done").await;
    assert_eq!(wrong(&app).await, both[1..], "it works already");
    let dead = ended(&app, "RunTask", POLL, "dead").await;
    assert_eq!(wrong(&app).await, [both[1], both[0]], "it fails anew");
    assert_eq!(told(&app).await, 3);
    let says = app.text("SELECT CAST(detail AS TEXT) FROM alerts ORDER BY id DESC LIMIT 1").await;
    assert!(says.contains(&format!("job_retry job:{dead}")) && !says.contains("canary"), "{says}");
    app.finish().await;
}

/// F59: a job's alert is over when the job is discarded or tried again, or when a later one has done its work; else it stays
/// however old it is. What died long ago is no news.
#[tokio::test]
async fn a_jobs_alert_is_over_with_the_job() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let mut dead = Vec::new();
    for invoice in 1..=4 {
        dead.push(ended(&app, "ApplyPayment", &format!("{{\"invoice\":{invoice}}}"), "dead").await);
    }
    let long_ago = Utc::now() - TimeDelta::hours(2);
    app.set_time("jobs", "finished_at", long_ago, &format!("id = {}", dead[3])).await;
    assert_eq!(wrong(&app).await, ["A job has died: ApplyPayment"; 3]);
    app.set_time("jobs", "finished_at", long_ago, "state = 'dead'").await;
    assert_eq!(wrong(&app).await.len(), 3, "nobody did anything about them");

    assert!(jobs::discard(&app.ctx, dead[0], "nobody wants it", &Actor::Cli).await.unwrap());
    assert_eq!(wrong(&app).await.len(), 2);
    assert!(jobs::retry(&app.ctx, dead[1], &Actor::Cli).await.unwrap());
    assert_eq!(wrong(&app).await.len(), 1);
    ended(&app, "ApplyPayment", r#"{"invoice":3}"#, "done").await;
    assert_eq!(wrong(&app).await, Vec::<String>::new());
    assert_eq!(told(&app).await, 3);
    app.finish().await;
}

/// A job that is over now.
async fn ended(app: &TestApp, class: &str, args: &str, state: &str) -> i64 {
    app.sql(&format!(
        "INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, created_at, finished_at, last_error) \
         SELECT '{class}', '{args}', 'default', 0, '{state}', created_at, 10, 10, created_at, created_at, 'a canary error' \
         FROM users WHERE email = 'ada@example.com'"
    ))
    .await;
    let id = app.count("SELECT MAX(id) FROM jobs").await;
    app.set_time("jobs", "finished_at", Utc::now(), &format!("id = {id}")).await;
    id
}

/// Looks, and says what is wrong with jobs after that, the oldest first.
async fn wrong(app: &TestApp) -> Vec<String> {
    alerts::look(&app.ctx).await.unwrap();
    let open = alerts::open(&app.ctx.db, Some(Kind::DeadJob)).await.unwrap();
    open.iter().map(|alert| alert.title().to_owned()).collect()
}

async fn told(app: &TestApp) -> i64 {
    app.count("SELECT COUNT(*) FROM alerts WHERE kind = 'dead_job'").await
}
