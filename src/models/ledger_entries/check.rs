//! The proof that the ledger holds: every rule is one query that finds the rows which break it.

use loco_rs::Result;
use sea_orm::{ConnectionTrait, Statement};
use serde::Serialize;

/// A row that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name of the rule.
    pub rule: &'static str,
    /// `allowance 7`, `hold 3`, `run 12`.
    pub row: String,
    /// What is and what should be.
    pub says: String,
}

/// `(rule, SQL)`; each query answers `(row, says)` for every row that breaks the rule, in the dialect both databases share.
const RULES: &[(&str, &str)] = &[
    (
        "balances_are_the_sums_of_the_entries",
        "SELECT 'allowance ' || a.id AS row_name,
                'available ' || a.available || ', entries say ' || COALESCE(SUM(e.available_delta), 0) ||
                '; posted ' || a.posted || ', entries say ' || COALESCE(SUM(e.posted_delta), 0) AS says
         FROM allowances a LEFT JOIN ledger_entries e ON e.allowance_id = a.id
         GROUP BY a.id, a.available, a.posted
         HAVING a.available <> COALESCE(SUM(e.available_delta), 0) OR a.posted <> COALESCE(SUM(e.posted_delta), 0)",
    ),
    (
        "what_is_not_available_is_held",
        "SELECT 'allowance ' || a.id AS row_name,
                'posted - available is ' || (a.posted - a.available) || ', open holds are ' || COALESCE(SUM(h.amount), 0) AS says
         FROM allowances a LEFT JOIN holds h ON h.allowance_id = a.id AND h.state = 'open'
         GROUP BY a.id, a.posted, a.available
         HAVING a.posted - a.available <> COALESCE(SUM(h.amount), 0)",
    ),
    (
        "running_balances_follow_the_deltas",
        "SELECT 'ledger entry ' || id AS row_name, 'available_after or posted_after does not follow the entry before' AS says
         FROM (SELECT id, available_delta, posted_delta, available_after, posted_after,
                      LAG(available_after, 1, 0) OVER (PARTITION BY allowance_id ORDER BY id) AS available_before,
                      LAG(posted_after, 1, 0) OVER (PARTITION BY allowance_id ORDER BY id) AS posted_before
               FROM ledger_entries) AS story
         WHERE available_after <> available_before + available_delta OR posted_after <> posted_before + posted_delta",
    ),
    (
        "a_hold_has_its_entry",
        "SELECT 'hold ' || h.id AS row_name, 'the entry of the hold is missing or differs' AS says
         FROM holds h LEFT JOIN ledger_entries e ON e.hold_id = h.id AND e.kind = 'hold'
         WHERE e.id IS NULL OR e.available_delta <> -h.amount OR e.allowance_id <> h.allowance_id",
    ),
    (
        "a_settled_hold_has_its_entries",
        "SELECT 'hold ' || h.id AS row_name,
                'captured ' || h.captured_amount || ' of ' || h.amount || ', entries say captured ' ||
                COALESCE(-SUM(e.posted_delta), 0) || ' and released ' ||
                COALESCE(SUM(CASE WHEN e.kind = 'release' THEN e.available_delta ELSE 0 END), 0) AS says
         FROM holds h LEFT JOIN ledger_entries e ON e.hold_id = h.id AND e.kind IN ('capture', 'release')
         WHERE h.state <> 'open'
         GROUP BY h.id, h.captured_amount, h.amount
         HAVING COALESCE(-SUM(e.posted_delta), 0) <> h.captured_amount
             OR COALESCE(SUM(CASE WHEN e.kind = 'release' THEN e.available_delta ELSE 0 END), 0) <> h.amount - h.captured_amount",
    ),
    (
        "an_open_hold_has_not_moved",
        "SELECT 'hold ' || h.id AS row_name, 'open, yet the ledger settled it' AS says
         FROM holds h JOIN ledger_entries e ON e.hold_id = h.id AND e.kind IN ('capture', 'release')
         WHERE h.state = 'open'",
    ),
    (
        "a_finished_run_has_no_open_hold",
        "SELECT 'run ' || r.id AS row_name, r.state || ' with an open hold' AS says
         FROM runs r JOIN holds h ON h.run_id = r.id
         WHERE r.state IN ('succeeded', 'failed', 'canceled') AND h.state = 'open'",
    ),
    (
        "a_live_run_is_held",
        "SELECT 'run ' || r.id AS row_name, r.state || ' without an open hold' AS says
         FROM runs r LEFT JOIN holds h ON h.run_id = r.id AND h.state = 'open'
         WHERE r.state IN ('queued', 'running') AND h.id IS NULL",
    ),
    (
        "only_delivered_pictures_are_charged",
        "SELECT 'run ' || r.id AS row_name,
                r.state || ': charged ' || h.captured_amount || ' of ' || h.amount || ' for ' || COUNT(o.id) ||
                ' of ' || r.outputs_requested || ' pictures' AS says
         FROM runs r JOIN holds h ON h.run_id = r.id LEFT JOIN outputs o ON o.run_id = r.id AND o.state = 'done'
         WHERE r.state IN ('succeeded', 'failed', 'canceled')
         GROUP BY r.id, r.state, r.outputs_requested, r.outputs_delivered, h.captured_amount, h.amount
         HAVING h.captured_amount * r.outputs_requested > h.amount * COUNT(o.id)
             OR (r.state = 'succeeded' AND h.captured_amount * r.outputs_requested <> h.amount * r.outputs_delivered)
             OR (r.state IN ('failed', 'canceled') AND h.captured_amount <> 0)",
    ),
    (
        "a_grant_has_its_entry",
        "SELECT 'allowance ' || a.id AS row_name, 'granted ' || a.granted || ', its grant entry is missing or differs' AS says
         FROM allowances a LEFT JOIN ledger_entries e ON e.allowance_id = a.id AND e.kind = 'grant'
         WHERE e.id IS NULL OR e.posted_delta <> a.granted",
    ),
];

/// Every row of the ledger that breaks a rule; empty = the books are right.
///
/// # Errors
/// The database does not answer.
pub async fn run(db: &impl ConnectionTrait) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (rule, sql) in RULES {
        for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), *sql)).await? {
            findings.push(Finding { rule, row: row.try_get("", "row_name")?, says: row.try_get("", "says")? });
        }
    }
    Ok(findings)
}

/// Names of all rules, for the report.
#[must_use]
pub fn rules() -> Vec<&'static str> {
    RULES.iter().map(|(rule, _)| *rule).collect()
}
