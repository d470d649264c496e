//! What must hold in the data, rule by rule. Each query answers `(row_name, says)` for every row that breaks the rule.

mod business;
mod people;
mod studio;

use super::super::ledger_entries::check as ledger;

/// One rule of the data.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable, for scripts and for the selftest.
    pub name: &'static str,
    pub look: Look,
    /// The command that mends it, or the first thing to do.
    pub mend: &'static str,
    /// Depends on processes that run: after a restore, or while everything is stopped, it says nothing about the data.
    pub moves: bool,
}

/// How rows that break a rule are found.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    /// In the dialect that both databases share; `AGO(60)` is a minute ago.
    Rows(&'static str),
    Each {
        sqlite: &'static str,
        postgres: &'static str,
    },
    /// Follows the hashes of the audit log from its first row.
    Chain,
    /// Opens what lies sealed.
    Seals,
    /// Rows that point at rows which are not there.
    References,
    /// Entries of the timetable that have not ticked.
    Timetable,
    /// Jobs that somebody should look after: those that admins are told of.
    GivenUp,
}

const fn rule(name: &'static str, look: Look, mend: &'static str) -> Rule {
    Rule { name, look, mend, moves: false }
}

const fn moving(name: &'static str, look: Look, mend: &'static str) -> Rule {
    Rule { name, look, mend, moves: true }
}

const LEDGER_MEND: &str = "nproxy task ledger_check names every row; nproxy task allowance_adjust puts a balance right, \
                           nproxy task restore brings back what was there";

/// Every rule, with its area.
pub(super) fn all() -> Vec<(&'static str, Rule)> {
    let ledger = ledger::queries().into_iter().map(|(name, sql)| rule(name, Look::Rows(sql), LEDGER_MEND));
    let areas = [
        ("accounts", people::ACCOUNTS),
        ("studio", studio::STUDIO),
        ("pool", studio::POOL),
        ("billing", business::BILLING),
        ("jobs", business::JOBS),
        ("store", studio::STORE),
        ("operators", people::OPERATORS),
        ("history", business::HISTORY),
    ];
    ledger
        .map(|rule| ("ledger", rule))
        .chain(areas.into_iter().flat_map(|(area, rules)| rules.iter().map(move |rule| (area, *rule))))
        .collect()
}
