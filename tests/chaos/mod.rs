//! The real binary, killed and stopped while it works. The sandbox lives in the test, so the provider outlives the dead.

mod dependencies;
mod last_units;
mod payments;
mod pool;
mod watch;
mod whole;

use std::{process::Command as Shell, time::Duration};

use chrono::TimeDelta;
use rand::{Rng, SeedableRng, rngs::StdRng};
use sandbox::{Fault, gemini::EVERY_KEY};
use sea_orm::{ConnectionTrait, Statement, prelude::DateTimeUtc};
use tokio::{process::Child, time::sleep};
use uuid::Uuid;

use crate::support::{Person, Setup, TestApp, eventually, free_port};

const SEED: u64 = 42;
const RUNS: usize = 20;

/// F44, invariants 1 to 6, the slow one (leases of the dead have to run out first, about a minute): twenty runs, the
/// process killed with SIGKILL at three moments in the middle and started again. In the end every run is final within its
/// time, what was delivered is paid once, nothing is held, and the books prove themselves.
#[tokio::test(flavor = "multi_thread")]
async fn killed_three_times() {
    let app = TestApp::with(Setup { jobs: false, max_concurrency: 4, ..Setup::default() }).await;
    let given = app.nproxy(&["task", "grant", "email:ada@example.com", "kind:quota", "amount:100"]).await;
    assert_eq!(given.code, Some(0), "{}", given.said());
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    let mut rng = StdRng::seed_from_u64(SEED);

    let mut server = Server::start(&app).await;
    let ada = server.sign_in().await;
    let mut started = 0;
    for kill in 1..=3 {
        for _ in 0..RUNS / 3 {
            gemini.latency(Duration::from_millis(rng.random_range(300..800)));
            ask(&ada, 1 + started % 3).await;
            started += 1;
        }
        sleep(Duration::from_millis(rng.random_range(50..700))).await;
        server.kill().await;
        let live = app.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await;
        println!("kill {kill}: {live} runs were under way");
        assert!(live > 0, "the process died in the middle of something");
        server = Server::again(&app, server.port).await;
    }
    while started < RUNS {
        ask(&ada, 1).await;
        started += 1;
    }
    let patience = tokio::time::Instant::now() + Duration::from_secs(170);
    while app.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await > 0 {
        assert!(tokio::time::Instant::now() < patience, "runs hang: {:?}", app.texts("SELECT state FROM runs").await);
        sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(server.stop().await, Some(0));

    let runs = i64::try_from(RUNS).unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, runs);
    let late = late(&app).await;
    assert!(late.is_empty(), "finished after the deadline: {late:?}");
    assert_eq!(app.count("SELECT COUNT(*) FROM holds WHERE state = 'open'").await, 0);
    let twice = "SELECT COUNT(*) FROM (SELECT hold_id FROM ledger_entries WHERE kind = 'capture' GROUP BY hold_id HAVING COUNT(*) > 1) AS t";
    assert_eq!(app.count(twice).await, 0, "charged twice");
    let captured = app.count("SELECT CAST(SUM(captured_amount) AS BIGINT) FROM holds").await;
    assert_eq!(captured, app.count("SELECT COUNT(*) FROM outputs WHERE state = 'done'").await);
    assert_eq!(captured, app.count("SELECT COUNT(*) FROM assets WHERE origin = 'output'").await);
    let delivered = app.count("SELECT COUNT(*) FROM runs WHERE state = 'succeeded'").await;
    println!("{delivered} of {RUNS} runs brought pictures, {captured} pictures in all");
    assert!(delivered >= runs / 2, "most runs live through it");
    let proof = app.nproxy(&["task", "ledger_check"]).await;
    assert_eq!(proof.code, Some(0), "{}", proof.said());
    app.finish().await;
}

/// F44: told to stop, the process finishes what it has begun, in time, and leaves with 0; nothing hangs and nothing is
/// held for ever.
#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.latency(Duration::from_millis(2_500));
    let mut server = Server::start(&app).await;
    let ada = server.sign_in().await;
    for _ in 0..3 {
        ask(&ada, 1).await;
    }
    assert!(gemini.wait_for_calls(3, Duration::from_secs(20)).await, "three calls are under way");

    let began = tokio::time::Instant::now();
    assert_eq!(server.stop().await, Some(0));

    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    assert_eq!(app.texts("SELECT state FROM runs").await, ["succeeded", "succeeded", "succeeded"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM jobs WHERE state = 'running'").await, 0);
    assert_eq!(gemini.calls().len(), 3, "nothing was drawn twice");
    app.finish().await;
}

/// F44: a call that does not end is given back when the grace is over — the process leaves with 0 all the same, and the
/// run waits for the next start, held and not charged.
#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_in_an_endless_call() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sandbox.gemini().fault(EVERY_KEY, Fault::Hang);
    let mut server = Server::start(&app).await;
    let ada = server.sign_in().await;
    ask(&ada, 1).await;
    assert!(app.sandbox.gemini().wait_for_calls(1, Duration::from_secs(20)).await, "the call is under way");

    let began = tokio::time::Instant::now();
    assert_eq!(server.stop().await, Some(0));

    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(app.texts("SELECT state FROM jobs WHERE class = 'FulfilRun'").await, ["queued"]);
    assert_eq!(app.texts("SELECT state FROM runs").await, ["running"]);
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -1");
    app.abandon().await;
}

/// `nproxy start --all` beside the test's own application, on the same database, folder and sandbox.
struct Server {
    child: Option<Child>,
    url: String,
    port: u16,
}

impl Server {
    async fn start(app: &TestApp) -> Self {
        let port = free_port();
        Self::again(app, port).await
    }

    /// Pages alone; what they start waits in its row.
    async fn without_jobs(app: &TestApp) -> Self {
        let port = free_port();
        Self::launch(app, port, &["start"]).await
    }

    async fn again(app: &TestApp, port: u16) -> Self {
        Self::launch(app, port, &["start", "--all"]).await
    }

    async fn launch(app: &TestApp, port: u16, arguments: &[&str]) -> Self {
        let url = format!("http://localhost:{port}");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(app.folder.path().join("server.log"));
        let log = log.unwrap();
        let child = app
            .command()
            .args(arguments)
            .env("PORT", port.to_string())
            .env("APP_URL", &url)
            .env("GEMINI_BASE_URL", app.sandbox.url())
            .env("SMTP_PORT", app.sandbox.smtp_addr().port().to_string())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { child: Some(child), url, port };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let up = format!("{}/up", server.url);
        eventually("the server to be up", || async {
            client.get(&up).send().await.ok().filter(|answer| answer.status().is_success()).map(|_| ())
        })
        .await;
        server
    }

    async fn sign_in(&self) -> Person {
        let person = Person::new(&self.url);
        let form = [("email", "ada@example.com"), ("password", nproxy::models::users::seeds::PASSWORD)];
        let answer = person.post("/login", &form).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        person
    }

    async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    /// SIGTERM; the exit code.
    async fn stop(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let id = child.id().unwrap().to_string();
        assert!(Shell::new("kill").args(["-TERM", &id]).status().unwrap().success());
        tokio::time::timeout(Duration::from_secs(40), child.wait()).await.expect("it stops").unwrap().code()
    }
}

async fn ask(person: &Person, pictures: usize) {
    let (token, batch) = (Uuid::new_v4().to_string(), pictures.to_string());
    let fields = [("prompt", "a boat"), ("client_token", &token), ("batch_size", &batch)];
    let answer = person.post_multipart("/app/conversations", &fields, None).await;
    assert_eq!(answer.status, 303, "{}", answer.html().text());
}

/// Runs that ended later than they should have, beyond the time that a sweep may take.
async fn late(app: &TestApp) -> Vec<String> {
    let sql = "SELECT id, deadline_at, finished_at FROM runs";
    let db = &app.ctx.db;
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    let moment = |row: &sea_orm::QueryResult, column| row.try_get::<DateTimeUtc>("", column).unwrap();
    rows.iter()
        .filter(|row| moment(row, "finished_at") > moment(row, "deadline_at") + TimeDelta::seconds(1))
        .map(|row| format!("run {}", row.try_get::<i64>("", "id").unwrap()))
        .collect()
}
