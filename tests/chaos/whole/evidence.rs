//! What the rows say when it is over.

use std::sync::atomic::Ordering;

use super::{PEOPLE, World};
use crate::support::{TestApp, is_postgres};

/// Pictures that all of them together can pay.
pub async fn affordable(app: &TestApp) -> i64 {
    left(app).await.iter().sum()
}

/// What each can still pay.
pub async fn left(app: &TestApp) -> Vec<i64> {
    let mut all = Vec::new();
    for name in PEOPLE {
        let sql = format!(
            "SELECT CAST(COALESCE(SUM(a.available), 0) AS BIGINT) FROM allowances a JOIN users u ON u.id = a.user_id \
             WHERE u.email = '{name}@example.com'"
        );
        all.push(app.count(&sql).await);
    }
    all
}

/// What has to be nothing.
const NOTHING: [(&str, &str); 10] = [
    ("runs without an end", "SELECT COUNT(*) FROM runs WHERE finished_at IS NULL"),
    ("holds without an end", "SELECT COUNT(*) FROM holds WHERE state = 'open'"),
    ("leases of keys", "SELECT COUNT(*) FROM key_leases"),
    ("calls without an end", "SELECT COUNT(*) FROM attempts WHERE outcome = 'open'"),
    (
        "calls that were lost and not counted",
        "SELECT COUNT(*) FROM attempts WHERE outcome = 'unknown' AND NOT maybe_billed",
    ),
    (
        "holds that were captured twice",
        "SELECT COUNT(*) FROM (SELECT 1 FROM ledger_entries WHERE kind = 'capture' GROUP BY hold_id HAVING COUNT(*) > 1) AS t",
    ),
    (
        "pictures that were delivered twice",
        "SELECT COUNT(*) FROM (SELECT 1 FROM attempts WHERE outcome = 'delivered' GROUP BY run_id, position HAVING COUNT(*) > 1) AS t",
    ),
    (
        "places that were called for more often than one may",
        "SELECT COUNT(*) FROM (SELECT 1 FROM attempts WHERE maybe_billed GROUP BY run_id, position HAVING COUNT(*) > 2) AS t",
    ),
    (
        "wishes with two runs",
        "SELECT COUNT(*) FROM (SELECT 1 FROM runs GROUP BY generation_id HAVING COUNT(*) > 1) AS t",
    ),
    (
        "runs that failed and were paid",
        "SELECT COUNT(*) FROM runs r JOIN holds h ON h.run_id = r.id WHERE r.state <> 'succeeded' AND h.captured_amount > 0",
    ),
];

pub async fn findings(world: &World, units: i64) -> Vec<String> {
    let app = &world.app;
    let mut wrong = Vec::new();
    for (what, sql) in NOTHING {
        let count = app.count(sql).await;
        if count > 0 {
            wrong.push(format!("{count} {what}"));
        }
    }
    let count = async |sql: &str| app.count(&format!("SELECT COUNT(*) FROM {sql}")).await;
    let (runs, succeeded) = (count("runs").await, count("runs WHERE state = 'succeeded'").await);
    let captured = app.count("SELECT CAST(COALESCE(SUM(captured_amount), 0) AS BIGINT) FROM holds").await;
    let (pictures, assets) = (app.pictures().await, count("assets WHERE origin = 'output'").await);
    for (what, is) in [("succeeded", succeeded), ("paid", captured), ("delivered", pictures), ("stored", assets)] {
        if is != units {
            wrong.push(format!("{is} {what}, and {units} could be paid"));
        }
    }
    let accepted = i64::try_from(world.accepted.lock().unwrap().len()).unwrap();
    let generations = count("generations").await;
    if accepted != generations {
        wrong.push(format!("{accepted} were told that it begins, and {generations} began"));
    }
    let (failed, refused) = (runs - succeeded, world.refused.load(Ordering::SeqCst));
    if failed * 20 < runs {
        wrong.push(format!("only {failed} of {runs} runs failed for good: it was no storm"));
    }
    if refused == 0 {
        wrong.push("nobody was refused: everything could be paid".to_owned());
    }
    let cut = count("attempts WHERE outcome = 'unknown'").await;
    if cut == 0 {
        wrong.push("nobody died in the middle of a call".to_owned());
    }
    let calls = count("attempts").await;
    println!("{runs} runs: {succeeded} succeeded, {failed} failed and cost nothing; {refused} wishes were refused");
    println!(
        "{calls} calls, {cut} of them cut off; {:?}",
        app.texts("SELECT failure || ' ' || COUNT(*) FROM runs WHERE failure IS NOT NULL GROUP BY failure").await
    );
    for task in [&["task", "ledger_check"][..], &["task", "object_check", "all:true", "deep:true"]] {
        let proof = app.nproxy(task).await;
        if proof.code != Some(0) {
            wrong.push(format!("{task:?}: {}", proof.said()));
        }
    }
    if !is_postgres() {
        let whole = app.text("PRAGMA integrity_check").await;
        if whole != "ok" {
            wrong.push(whole);
        }
    }
    wrong
}
