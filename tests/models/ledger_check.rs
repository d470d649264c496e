//! The proof of the ledger has to catch every way in which the books can be wrong.

use std::collections::BTreeSet;

use nproxy::models::ledger_entries::check;
use sandbox::{Fault, gemini::EVERY_KEY};
use sea_orm::ConnectionTrait;

use crate::support::{TestApp, is_postgres};

/// F68, invariants 1 to 6: every rule is shown books that break it, and names the row; put right again, nothing is found.
#[tokio::test]
async fn every_rule_catches_what_it_is_for() {
    let app = TestApp::start().await;
    a_little_history(&app).await;
    let run = app.count("SELECT MIN(id) FROM runs").await;
    let failed_run = app.count("SELECT MAX(id) FROM runs").await;
    let hold = app.count(&format!("SELECT id FROM holds WHERE run_id = {run}")).await;
    let allowance = app.count(&format!("SELECT allowance_id FROM holds WHERE run_id = {run}")).await;
    let grant = app.count(&format!("SELECT MIN(id) FROM ledger_entries WHERE allowance_id = {allowance}")).await;

    let (an_allowance, a_hold) = (format!("allowance {allowance}"), format!("hold {hold}"));
    let (a_run, another_run) = (format!("run {run}"), format!("run {failed_run}"));
    let table: Vec<(&str, &str, String)> = vec![
        (
            "balances_are_the_sums_of_the_entries",
            &an_allowance,
            format!("UPDATE allowances SET available = available + 1, posted = posted + 1 WHERE id = {allowance}"),
        ),
        (
            "balances_are_the_sums_of_the_entries",
            &an_allowance,
            format!("DELETE FROM ledger_entries WHERE hold_id = {hold} AND kind = 'release'"),
        ),
        (
            "what_is_not_available_is_held",
            &an_allowance,
            format!("UPDATE allowances SET available = available - 1 WHERE id = {allowance}"),
        ),
        (
            "running_balances_follow_the_deltas",
            "ledger entry",
            format!("UPDATE ledger_entries SET posted_after = posted_after + 1 WHERE id = {grant}"),
        ),
        (
            "running_balances_follow_the_deltas",
            "ledger entry",
            format!(
                "UPDATE ledger_entries SET available_delta = available_delta - 1 WHERE hold_id = {hold} AND kind = 'hold'"
            ),
        ),
        (
            "a_hold_has_its_entry",
            &a_hold,
            format!("DELETE FROM ledger_entries WHERE hold_id = {hold} AND kind = 'hold'"),
        ),
        ("a_hold_has_its_entry", &a_hold, format!("UPDATE holds SET amount = amount + 1 WHERE id = {hold}")),
        (
            "a_settled_hold_has_its_entries",
            &a_hold,
            format!("DELETE FROM ledger_entries WHERE hold_id = {hold} AND kind = 'capture'"),
        ),
        (
            "a_settled_hold_has_its_entries",
            &a_hold,
            format!("UPDATE holds SET captured_amount = amount WHERE id = {hold}"),
        ),
        (
            "an_open_hold_has_not_moved",
            &a_hold,
            format!("UPDATE holds SET state = 'open', settled_at = NULL, captured_amount = 0 WHERE id = {hold}"),
        ),
        (
            "a_finished_run_has_no_open_hold",
            &a_run,
            format!("UPDATE holds SET state = 'open', settled_at = NULL, captured_amount = 0 WHERE id = {hold}"),
        ),
        (
            "a_live_run_is_held",
            &another_run,
            format!("UPDATE runs SET state = 'running', finished_at = NULL WHERE id = {failed_run}"),
        ),
        (
            "only_delivered_pictures_are_charged",
            &a_run,
            format!("UPDATE outputs SET state = 'failed', asset_id = NULL WHERE run_id = {run} AND state = 'done'"),
        ),
        ("only_delivered_pictures_are_charged", &a_run, format!("UPDATE runs SET state = 'canceled' WHERE id = {run}")),
        (
            "only_delivered_pictures_are_charged",
            &a_run,
            format!("UPDATE runs SET outputs_delivered = outputs_delivered + 1 WHERE id = {run}"),
        ),
        (
            "only_delivered_pictures_are_charged",
            &another_run,
            format!("UPDATE holds SET state = 'captured', captured_amount = 1 WHERE run_id = {failed_run}"),
        ),
        ("a_grant_has_its_entry", &an_allowance, format!("DELETE FROM ledger_entries WHERE id = {grant}")),
        (
            "a_grant_has_its_entry",
            &an_allowance,
            format!("UPDATE allowances SET granted = granted + 1 WHERE id = {allowance}"),
        ),
    ];

    assert_eq!(check::run(&app.ctx.db).await.unwrap(), [], "the books are right before");
    for (rule, row, sql) in &table {
        let txn = durable_jobs::tx::begin(&app.ctx.db).await.unwrap();
        txn.execute_unprepared(allow_edits()).await.unwrap();
        assert!(txn.execute_unprepared(sql).await.unwrap().rows_affected() > 0, "{sql}");
        let found = check::run(&txn).await.unwrap();
        assert!(found.iter().any(|f| f.rule == *rule && f.row.starts_with(row)), "{rule} by {sql}: {found:?}");
        txn.rollback().await.unwrap();
    }
    let shown: BTreeSet<_> = table.iter().map(|(rule, ..)| *rule).collect();
    assert_eq!(shown, check::rules().into_iter().collect(), "every rule is shown a breach");
    app.finish().await;
}

/// F68: the operator's command says that the books are right and leaves with 0; with one number changed it names the row
/// and leaves with 1, in words and in JSON.
#[tokio::test]
async fn the_command_tells_right_from_wrong() {
    let app = TestApp::start().await;
    a_little_history(&app).await;

    let right = app.nproxy(&["task", "ledger_check"]).await;
    assert_eq!(right.code, Some(0), "{}", right.said());
    assert!(right.out.contains("the ledger holds"), "{}", right.out);

    let allowance = app.count("SELECT MIN(allowance_id) FROM holds").await;
    app.sql(&format!("UPDATE allowances SET posted = posted + 1, available = available + 1 WHERE id = {allowance}"))
        .await;
    let wrong = app.nproxy(&["task", "ledger_check"]).await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.said());
    assert!(wrong.out.contains(&format!("allowance {allowance}: available")), "{}", wrong.out);

    let json = app.nproxy(&["task", "ledger_check", "json:true"]).await;
    assert_eq!(json.code, Some(1));
    let report = json.out.lines().find(|line| line.starts_with('{')).unwrap();
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(report["findings"][0]["row"], format!("allowance {allowance}"));
    app.abandon().await;
}

/// A run that brought two pictures of three, and one that brought none.
async fn a_little_history(app: &TestApp) {
    let ada = app.sign_in("ada").await;
    let gemini = app.sandbox.gemini();
    gemini.sketch(true);
    gemini.fault_times(EVERY_KEY, Fault::RefusedOutput { finish_reason: "IMAGE_SAFETY".into() }, 1);
    ada.make("three boats", &[("batch_size", "3")]).await;
    gemini.fault(EVERY_KEY, Fault::RefusedPrompt);
    ada.make("a boat", &[]).await;
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -3 / capture -2 / release 1 / hold -1 / release 1");
}

/// What only somebody with the keys to the database could do.
fn allow_edits() -> &'static str {
    if is_postgres() {
        "DROP TRIGGER ledger_entries_append_only ON ledger_entries"
    } else {
        "DROP TRIGGER ledger_entries_no_update; DROP TRIGGER ledger_entries_no_delete"
    }
}
