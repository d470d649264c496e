//! How long nproxy itself takes, in the dev build: `bin/bench --overhead`. What the release costs is measured by `crates/bench`.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use sandbox::{Webhooks, btcpay::WEBHOOK_SECRET};
use sea_orm::{ConnectionTrait, Statement, prelude::DateTimeUtc};
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::{TestApp, delivery_of};

const RUNS: usize = 100;
const PROVIDER: Duration = Duration::from_millis(200);
const MEDIAN_MS: f64 = 60.0;
/// A machine that is busy with other things measures fewer runs, not longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// From the accepted prompt to the final state, less the time that the provider took: the median over a hundred single
/// pictures is at most 60 ms.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: bin/bench --overhead"]
async fn overhead() {
    let app = TestApp::start().await;
    app.sandbox.gemini().latency(PROVIDER);
    app.sandbox.gemini().sketch(true);
    app.task("grant", &[("email", "ada@example.com"), ("kind", "quota"), ("amount", "1000")]).await.unwrap();
    let ada = app.sign_in("ada").await;
    let (mut overheads, mut waits, mut before, mut after) = (vec![], vec![], vec![], vec![]);
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
        let newest = "SELECT r.created_at, r.started_at, r.finished_at FROM runs r ORDER BY r.id DESC LIMIT 1";
        let row = app.ctx.db.query_one_raw(Statement::from_string(backend, newest)).await.unwrap().unwrap();
        let at = |column| row.try_get::<DateTimeUtc>("", column).unwrap();
        let call = app.sandbox.gemini().calls().pop().unwrap();
        let ms = |span: TimeDelta| span.num_microseconds().unwrap() as f64 / 1000.0;
        waits.push(ms(at("started_at") - at("created_at")));
        before.push(ms(call.started_at - at("started_at")));
        after.push(ms(at("finished_at") - call.finished_at.unwrap()));
        overheads.push(ms(at("finished_at") - at("created_at") - (call.finished_at.unwrap() - call.started_at)));
    }
    app.finish().await;
    for list in [&mut overheads, &mut waits, &mut before, &mut after] {
        list.sort_by(f64::total_cmp);
    }
    let runs = overheads.len();
    let (median, p95) = (overheads[runs / 2], overheads[runs * 95 / 100]);
    let build = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!("{runs} runs one after another, {build} build, provider {} ms", PROVIDER.as_millis());
    println!("nproxy's own time: median {median:.1} ms, p95 {p95:.1} ms");
    println!(
        "medians: {:.1} ms until a worker begins, {:.1} ms until the provider is asked, {:.1} ms from picture to final state",
        waits[runs / 2],
        before[runs / 2],
        after[runs / 2]
    );
    assert!(median <= MEDIAN_MS, "the median is above {MEDIAN_MS} ms");
}

const DELIVERIES: u32 = 1_000;
const A_SECOND: u32 = 100;
const WEBHOOK_P99_MS: f64 = 500.0;

/// It must show: of a thousand webhooks, a hundred in each second, 99 of 100 are written down and answered within half a
/// second, while the jobs that they make ask the processor.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: bin/bench --overhead"]
async fn webhooks() {
    let app = TestApp::start().await;
    app.sandbox.btcpay().courier().webhooks(Webhooks::Off);
    let mut references = Vec::new();
    for name in ["ada", "bo", "dee", "eve"] {
        let path = app.bill(&app.sign_in(name).await, "btcpay").await;
        references.push(app.reference(&path).await);
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let begins = Instant::now() + Duration::from_millis(100);
    let deliveries = (0..DELIVERIES).map(|at| {
        let (app, client, reference) = (&app, &client, &references[at as usize % references.len()]);
        async move {
            let due = begins + Duration::from_secs(1) * at / A_SECOND;
            sleep_until(due).await;
            let body = delivery_of(&format!("bench{at}"), "InvoiceProcessing", reference);
            assert_eq!(app.post_webhook_by(client, "btcpay", body, WEBHOOK_SECRET).await, 200);
            due.elapsed().as_secs_f64() * 1000.0
        }
    });
    let mut took = join_all(deliveries).await;
    let lasted = begins.elapsed();
    took.sort_by(f64::total_cmp);
    assert_eq!(app.count("SELECT COUNT(*) FROM payment_events").await, i64::from(DELIVERIES), "all are written down");
    app.idle().await;
    app.finish().await;
    let (median, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!("{DELIVERIES} webhooks in {lasted:.1?}: median {median:.1} ms, p99 {p99:.1} ms until they are answered");
    assert!(p99 < WEBHOOK_P99_MS, "the slowest of a hundred takes longer than {WEBHOOK_P99_MS} ms");
}
