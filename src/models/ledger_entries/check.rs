//! The proof that the ledger holds: every rule is one query that finds the rows which break it.

mod rules;

use loco_rs::Result;
use sea_orm::{ConnectionTrait, Statement};
use serde::Serialize;

use rules::RULES;

/// A row that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name of the rule.
    pub rule: &'static str,
    /// `allowance 7`, `hold 3`, `run 12`, `ledger entry 40`, `debt 2`.
    pub row: String,
    /// What is and what should be.
    pub says: String,
}

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

/// The queries of all rules, for who wants to know what they cost.
#[must_use]
pub fn queries() -> Vec<(&'static str, &'static str)> {
    RULES.to_vec()
}
