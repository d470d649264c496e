//! How long nproxy itself takes: `bin/bench`.

use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement, prelude::DateTimeUtc};
use tokio::time::{Instant, sleep};

use crate::support::TestApp;

const RUNS: usize = 100;
const PROVIDER: Duration = Duration::from_millis(200);
const MEDIAN_MS: f64 = 60.0;
/// A machine that is busy with other things measures fewer runs, not longer.
const PATIENCE: Duration = Duration::from_secs(75);

/// From the accepted prompt to the final state, less the time that the provider took: the median over a hundred single
/// pictures is at most 60 ms.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: bin/bench"]
async fn overhead() {
    let app = TestApp::start().await;
    app.sandbox.gemini().latency(PROVIDER);
    app.sandbox.gemini().sketch(true);
    app.task("grant", &[("email", "ada@example.com"), ("kind", "quota"), ("amount", "1000")]).await.unwrap();
    let ada = app.sign_in("ada").await;
    let mut overheads = Vec::new();
    let began = Instant::now();
    for at in 0..RUNS {
        if began.elapsed() > PATIENCE {
            break;
        }
        ada.ask(&format!("boat number {at}"), &[]).await;
        while app.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await > 0 {
            sleep(Duration::from_millis(20)).await;
        }
        let backend = app.ctx.db.get_database_backend();
        let newest = "SELECT created_at, finished_at FROM runs ORDER BY id DESC LIMIT 1";
        let row = app.ctx.db.query_one_raw(Statement::from_string(backend, newest)).await.unwrap().unwrap();
        let created: DateTimeUtc = row.try_get("", "created_at").unwrap();
        let finished: DateTimeUtc = row.try_get("", "finished_at").unwrap();
        let call = app.sandbox.gemini().calls().pop().unwrap();
        let provider = call.finished_at.unwrap() - call.started_at;
        let overhead = finished - created - provider;
        overheads.push(overhead.num_microseconds().unwrap() as f64 / 1000.0);
    }
    app.finish().await;
    overheads.sort_by(f64::total_cmp);
    let runs = overheads.len();
    let (median, p95) = (overheads[runs / 2], overheads[runs * 95 / 100]);
    let build = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!("{runs} runs one after another, {build} build, provider {} ms", PROVIDER.as_millis());
    println!("nproxy's own time: median {median:.1} ms, p95 {p95:.1} ms");
    assert!(median <= MEDIAN_MS, "the median is above {MEDIAN_MS} ms");
}
