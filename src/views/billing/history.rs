//! What came and went, line by line. Free pictures and tokens are told to the last one; of a monthly plan only when and
//! why, because its numbers are told nowhere.

use serde::Serialize;

use crate::{
    models::{
        allowances,
        ledger_entries::{History, Kind, Line},
    },
    views::allowances::grouped,
};

#[derive(Debug, Serialize)]
pub struct HistoryView {
    pub movements: Vec<MovementView>,
    /// Where it goes on; empty at the end.
    pub older_url: String,
}

#[derive(Debug, Serialize)]
pub struct MovementView {
    pub at: String,
    pub words: &'static str,
    /// What it moved.
    pub of: &'static str,
    /// `+3` or `−1`, and what was left behind it; both empty where there is no number to tell.
    pub change: String,
    pub left_words: String,
}

#[must_use]
pub fn view(history: &History) -> HistoryView {
    HistoryView {
        movements: history.lines.iter().map(movement).collect(),
        older_url: history.older.map(|entry| format!("/app/billing/history?before={entry}")).unwrap_or_default(),
    }
}

fn movement(line: &Line) -> MovementView {
    let (of, is_told) = match line.kind {
        allowances::Kind::Quota => ("Monthly plan", false),
        allowances::Kind::Trial => ("Free pictures", true),
        allowances::Kind::Tokens => ("Tokens", true),
    };
    let delta = line.entry.available_delta;
    let sign = if delta < 0 { '\u{2212}' } else { '+' };
    let told = |words: String| if is_told { words } else { String::new() };
    MovementView {
        at: line.entry.created_at.to_rfc3339(),
        words: words(line),
        of,
        change: told(format!("{sign}{}", grouped(delta.abs()))),
        left_words: told(format!("{} left", grouped(line.left))),
    }
}

fn words(line: &Line) -> &'static str {
    match (line.entry.kind(), line.kind) {
        (Kind::Grant, allowances::Kind::Quota) => "A month was added",
        (Kind::Grant, allowances::Kind::Trial) => "To try the studio with",
        (Kind::Grant, allowances::Kind::Tokens) => "Tokens were added",
        (Kind::Hold, _) => "Pictures were ordered",
        (Kind::Capture, _) => "Pictures were made",
        (Kind::Release, _) => "What was not made came back",
        (Kind::Adjust, _) if line.entry.debt_id.is_some() => "Paid what was owed",
        (Kind::Adjust, _) if line.entry.available_delta > 0 => "Added by us",
        (Kind::Adjust, _) => "Taken off by us",
        (Kind::Expire, _) => "Its time was over",
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::models::ledger_entries::Model;

    fn line(kind: allowances::Kind, of: &str, delta: i64, left: i64) -> Line {
        let entry = Model {
            id: 1,
            allowance_id: 1,
            kind: of.to_owned(),
            available_delta: delta,
            posted_delta: 0,
            available_after: left,
            posted_after: left,
            hold_id: None,
            invoice_id: None,
            actor: "admin:7".into(),
            reason: "12 for his birthday".into(),
            idempotency_key: "adjust:1".into(),
            created_at: DateTime::UNIX_EPOCH,
            debt_id: None,
        };
        Line { entry, kind, left }
    }

    #[test]
    fn a_plan_has_no_numbers() {
        let told = |kind, of, delta, left| {
            let MovementView { words, change, left_words, .. } = movement(&line(kind, of, delta, left));
            format!("{words} {change} {left_words}")
        };
        assert_eq!(told(allowances::Kind::Trial, "hold", -2, 1), "Pictures were ordered \u{2212}2 1 left");
        assert_eq!(told(allowances::Kind::Tokens, "adjust", 1_200, 2_400), "Added by us +1,200 2,400 left");
        assert_eq!(told(allowances::Kind::Quota, "adjust", -12, 88), "Taken off by us  ");
    }
}
