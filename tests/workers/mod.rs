//! Jobs are doors: they call the verb, and survive when what they were for is gone.

use loco_rs::bgworker::BackgroundWorker;
use nproxy::workers::{
    fulfil_run::{FulfilRun, Order},
    run_task::{Entry, RunTask},
};
use std::collections::BTreeMap;

use crate::support::{Setup, TestApp};

/// F44: a job for a run that does not exist, or is over, is done without a word and without a call.
#[tokio::test]
async fn a_job_whose_run_is_gone_is_done() {
    let app = TestApp::start().await;
    let worker = FulfilRun::build(&app.ctx);
    worker.perform(Order { run: 4711 }).await.unwrap();

    let ada = app.sign_in("ada").await;
    ada.make("a boat", &[]).await;
    worker.perform(Order { run: app.newest_run().await }).await.unwrap();
    assert_eq!(app.sandbox.gemini().calls().len(), 1, "nothing is drawn twice");
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -1 / capture -1");
    app.finish().await;
}

/// F37: an entry of the timetable is the task that a person can run by hand; an entry without its task fails.
#[tokio::test]
async fn the_timetable_runs_tasks() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sql("UPDATE provider_keys SET state = 'cooldown', cooldown_until = created_at").await;
    let worker = RunTask::build(&app.ctx);
    worker.perform(Entry::parse("key_cooldown_recovery")).await.unwrap();
    assert_eq!(app.pool().await, ["k1 active", "k2 active", "k3 active"]);

    let entry = Entry { task: "make_coffee".into(), vars: BTreeMap::new() };
    assert!(worker.perform(entry).await.is_err());
    app.finish().await;
}

/// What a task is called in an alert is what a person types to run it.
#[test]
fn an_entry_is_written_as_it_is_read() {
    for line in ["alert_check", "provider_balance_refresh key:7", "object_sweep json:true strays:true"] {
        assert_eq!(Entry::parse(line).to_string(), line);
    }
}
