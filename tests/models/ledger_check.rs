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
    an_eventful_history(&app).await;
    assert_eq!(check::run(&app.ctx.db).await.unwrap(), [], "the books are right before");

    let mut table = breaches_of_runs(&app).await;
    table.extend(breaches_of_allowances(&app).await);
    table.extend(breaches_of_debts(&app).await);
    for (rule, row, sql) in &table {
        let txn = durable_jobs::tx::begin(&app.ctx.db).await.unwrap();
        txn.execute_unprepared(allow_edits()).await.unwrap();
        assert!(txn.execute_unprepared(sql).await.unwrap().rows_affected() > 0, "{sql}");
        let found = check::run(&txn).await.unwrap();
        assert!(found.iter().any(|f| f.rule == *rule && f.row == *row), "{rule} by {sql}: {found:?}");
        txn.rollback().await.unwrap();
    }
    let shown: BTreeSet<_> = table.iter().map(|(rule, ..)| *rule).collect();
    assert_eq!(shown, check::rules().into_iter().collect(), "every rule is shown a breach");
    assert_eq!(check::run(&app.ctx.db).await.unwrap(), [], "the books are right after");
    app.finish().await;
}

/// `(rule, row that it must name, SQL that breaks it)`
type Breach = (&'static str, String, String);

async fn breaches_of_runs(app: &TestApp) -> Vec<Breach> {
    let run = app.count("SELECT MIN(id) FROM runs").await;
    let failed_run = app.count("SELECT MAX(id) FROM runs").await;
    let hold = app.count(&format!("SELECT id FROM holds WHERE run_id = {run}")).await;
    let hold_entry = app.count(&format!("SELECT MIN(id) FROM ledger_entries WHERE hold_id = {hold}")).await;
    let capture =
        app.count(&format!("SELECT id FROM ledger_entries WHERE hold_id = {hold} AND kind = 'capture'")).await;
    let (bo, stranger) = (app.user("bo").await.id, app.count("SELECT MAX(id) FROM allowances").await);
    let (a_hold, a_run, another_run) = (format!("hold {hold}"), format!("run {run}"), format!("run {failed_run}"));
    let open = format!("UPDATE holds SET state = 'open', settled_at = NULL, captured_amount = 0 WHERE id = {hold}");
    let hold_at = |moment: &str| format!("UPDATE holds SET created_at = ({moment}) WHERE id = {hold}");
    vec![
        (
            "running_balances_follow_the_deltas",
            format!("ledger entry {hold_entry}"),
            format!("UPDATE ledger_entries SET available_delta = available_delta - 1 WHERE id = {hold_entry}"),
        ),
        ("a_hold_has_its_entry", a_hold.clone(), format!("DELETE FROM ledger_entries WHERE id = {hold_entry}")),
        ("a_hold_has_its_entry", a_hold.clone(), format!("UPDATE holds SET amount = amount + 1 WHERE id = {hold}")),
        ("a_settled_hold_has_its_entries", a_hold.clone(), format!("DELETE FROM ledger_entries WHERE id = {capture}")),
        (
            "a_settled_hold_has_its_entries",
            a_hold.clone(),
            format!("UPDATE holds SET captured_amount = amount WHERE id = {hold}"),
        ),
        ("an_open_hold_has_not_moved", a_hold.clone(), open.clone()),
        ("a_finished_run_has_no_open_hold", a_run.clone(), open),
        (
            "a_live_run_is_held",
            another_run.clone(),
            format!("UPDATE runs SET state = 'running', finished_at = NULL WHERE id = {failed_run}"),
        ),
        (
            "only_delivered_pictures_are_charged",
            a_run.clone(),
            format!("UPDATE outputs SET state = 'failed', asset_id = NULL WHERE run_id = {run} AND state = 'done'"),
        ),
        (
            "only_delivered_pictures_are_charged",
            a_run.clone(),
            format!("UPDATE runs SET state = 'canceled' WHERE id = {run}"),
        ),
        (
            "only_delivered_pictures_are_charged",
            a_run,
            format!("UPDATE runs SET outputs_delivered = outputs_delivered + 1 WHERE id = {run}"),
        ),
        (
            "only_delivered_pictures_are_charged",
            another_run,
            format!("UPDATE holds SET state = 'captured', captured_amount = 1 WHERE run_id = {failed_run}"),
        ),
        (
            "an_entry_moves_as_its_kind",
            format!("ledger entry {capture}"),
            format!("UPDATE ledger_entries SET kind = 'adjust' WHERE id = {capture}"),
        ),
        (
            "an_entry_and_its_hold_are_of_one_allowance",
            format!("ledger entry {capture}"),
            format!("UPDATE ledger_entries SET allowance_id = {stranger} WHERE id = {capture}"),
        ),
        (
            "a_run_is_paid_by_its_own_person",
            a_hold.clone(),
            format!(
                "UPDATE generations SET user_id = {bo} WHERE id = (SELECT generation_id FROM runs WHERE id = {run})"
            ),
        ),
        // Before it began, in the second in which it ended, after it was taken back.
        ("nothing_is_held_outside_its_time", a_hold.clone(), hold_at("SELECT MIN(created_at) FROM users")),
        (
            "nothing_is_held_outside_its_time",
            a_hold.clone(),
            format!(
                "UPDATE allowances SET kind = 'quota', expires_at = (SELECT created_at FROM holds WHERE id = {hold}) \
                 WHERE id = (SELECT allowance_id FROM holds WHERE id = {hold})"
            ),
        ),
        ("nothing_is_held_outside_its_time", a_hold.clone(), hold_at("SELECT MAX(created_at) FROM ledger_entries")),
        ("nothing_is_held_in_debt", a_hold, hold_at("SELECT MAX(created_at) FROM ledger_entries")),
    ]
}

async fn breaches_of_allowances(app: &TestApp) -> Vec<Breach> {
    let id = app.count("SELECT MIN(allowance_id) FROM holds").await;
    let grant = app.count(&format!("SELECT MIN(id) FROM ledger_entries WHERE allowance_id = {id}")).await;
    let ended = app.count("SELECT allowance_id FROM ledger_entries WHERE kind = 'expire'").await;
    let expiry = app.count("SELECT id FROM ledger_entries WHERE kind = 'expire'").await;
    let adjusted = app.count("SELECT id FROM ledger_entries WHERE idempotency_key LIKE 'adjust:%'").await;
    let by_hand = app.count("SELECT MAX(id) FROM allowances WHERE source LIKE 'admin:%'").await;
    let an_allowance = format!("allowance {id}");
    vec![
        (
            "balances_are_the_sums_of_the_entries",
            format!("allowance {by_hand}"),
            format!("UPDATE allowances SET available = available + 1, posted = posted + 1 WHERE id = {by_hand}"),
        ),
        (
            "balances_are_the_sums_of_the_entries",
            an_allowance.clone(),
            format!("DELETE FROM ledger_entries WHERE allowance_id = {id} AND kind = 'release'"),
        ),
        (
            "what_is_not_available_is_held",
            format!("allowance {by_hand}"),
            format!("UPDATE allowances SET posted = posted + 1 WHERE id = {by_hand}"),
        ),
        (
            "running_balances_follow_the_deltas",
            format!("ledger entry {grant}"),
            format!("UPDATE ledger_entries SET posted_after = posted_after + 1 WHERE id = {grant}"),
        ),
        ("a_grant_has_its_entry", an_allowance.clone(), format!("DELETE FROM ledger_entries WHERE id = {grant}")),
        ("a_grant_has_its_entry", an_allowance, format!("UPDATE allowances SET granted = granted + 1 WHERE id = {id}")),
        (
            "nothing_expires_before_its_end",
            format!("ledger entry {expiry}"),
            format!(
                "UPDATE allowances SET expires_at = (SELECT MAX(created_at) FROM ledger_entries) WHERE id = {ended}"
            ),
        ),
        (
            "an_operators_change_has_its_activity",
            format!("ledger entry {adjusted}"),
            format!("UPDATE ledger_entries SET idempotency_key = 'adjust:99999' WHERE id = {adjusted}"),
        ),
        (
            "an_operators_change_has_its_activity",
            format!("allowance {by_hand}"),
            format!("UPDATE allowances SET source = 'admin:99999' WHERE id = {by_hand}"),
        ),
    ]
}

async fn breaches_of_debts(app: &TestApp) -> Vec<Breach> {
    let id = app.count("SELECT id FROM debts WHERE cleared_at IS NULL").await;
    let revoked = app.count(&format!("SELECT allowance_id FROM debts WHERE id = {id}")).await;
    let bo = app.user("bo").await.id;
    let (a_debt, an_allowance) = (format!("debt {id}"), format!("allowance {revoked}"));
    vec![
        ("a_debt_is_paid_or_forgiven", a_debt.clone(), format!("DELETE FROM ledger_entries WHERE debt_id = {id}")),
        (
            "a_debt_is_paid_or_forgiven",
            a_debt.clone(),
            format!("UPDATE debts SET outstanding = 0, cleared_at = created_at WHERE id = {id}"),
        ),
        (
            "a_debt_is_paid_by_its_own_person",
            a_debt.clone(),
            format!("UPDATE debts SET user_id = {bo} WHERE id = {id}"),
        ),
        (
            "a_debt_is_paid_by_its_own_person",
            a_debt.clone(),
            format!("UPDATE debts SET unit = 'tokens' WHERE id = {id}"),
        ),
        (
            "what_was_used_of_a_revoked_allowance_is_owed",
            an_allowance.clone(),
            format!("DELETE FROM debts WHERE id = {id}"),
        ),
        (
            "what_was_used_of_a_revoked_allowance_is_owed",
            an_allowance,
            format!("UPDATE debts SET amount = amount + 1, outstanding = outstanding + 1 WHERE id = {id}"),
        ),
        (
            "only_what_was_revoked_is_owed",
            a_debt.clone(),
            format!("UPDATE allowances SET revoked_at = NULL WHERE id = {revoked}"),
        ),
        (
            "an_operators_change_has_its_activity",
            a_debt,
            format!(
                "UPDATE debts SET forgiven = outstanding, outstanding = 0, cleared_at = created_at WHERE id = {id}"
            ),
        ),
    ]
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

    let run = app.count("SELECT MIN(id) FROM runs").await;
    let hold = app.count("SELECT MIN(id) FROM holds").await;
    app.sql(&format!("UPDATE runs SET state = 'canceled' WHERE id = {run}")).await;
    app.sql(&format!("UPDATE holds SET captured_amount = amount WHERE id = {hold}")).await;
    let worse = app.nproxy(&["task", "ledger_check"]).await;
    assert_eq!(worse.code, Some(1), "{}", worse.said());
    for named in
        [format!("allowance {allowance}: available"), format!("run {run}: canceled"), format!("hold {hold}: captured")]
    {
        assert!(worse.out.lines().any(|line| line.starts_with(&named)), "{named}: {}", worse.out);
    }
    assert!(worse.said().contains("the ledger is broken"), "{}", worse.said());

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

/// A month that is written off, an adjustment, a refund of the free pictures, and a grant that pays part of the debt.
async fn an_eventful_history(app: &TestApp) {
    app.task("allowance_expiry", &[]).await.unwrap();
    let trial = app.count("SELECT MIN(allowance_id) FROM holds").await.to_string();
    app.task("grant", &[("email", "ada@example.com"), ("kind", "tokens"), ("amount", "500")]).await.unwrap();
    let tokens = app.count("SELECT MAX(id) FROM allowances").await.to_string();
    app.task("allowance_adjust", &[("allowance", &tokens), ("by", "-100"), ("reason", "a slip")]).await.unwrap();
    app.task("allowance_revoke", &[("allowance", &trial), ("reason", "refunded"), ("confirm", "yes")]).await.unwrap();
    app.task("grant", &[("email", "ada@example.com"), ("kind", "quota"), ("amount", "1")]).await.unwrap();
    assert_eq!(app.count("SELECT outstanding FROM debts").await, 1, "two used, one paid");
}

/// What only somebody with the keys to the database could do.
fn allow_edits() -> &'static str {
    if is_postgres() {
        "DROP TRIGGER ledger_entries_append_only ON ledger_entries; DROP TRIGGER debts_stay ON debts"
    } else {
        "DROP TRIGGER ledger_entries_no_update; DROP TRIGGER ledger_entries_no_delete; \
         DROP TRIGGER debts_no_update; DROP TRIGGER debts_no_delete"
    }
}
