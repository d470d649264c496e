//! How much is left, in words. A monthly quota is shown in steps of twenty percent and never as a number.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::billing::moment;
use crate::models::allowances::{Kind, Model};

/// Below this many free pictures the page says so before the person is surprised.
const TRIAL_LOW: i64 = 1;
const QUOTA_LOW_PERCENT: i64 = 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AllowanceView {
    pub kind: &'static str,
    pub words: String,
    /// Only for a quota.
    pub percent: Option<i64>,
    pub low: bool,
    pub empty: bool,
    /// Until when a quota counts; when the plan ended, if nothing is left because of that. Empty otherwise.
    pub until_words: String,
    /// What the next picture is paid with.
    #[serde(skip)]
    pub cost_words: &'static str,
}

/// `current` in the order in which it is spent: what is shown is what the next run takes.
#[must_use]
pub fn view(current: &[Model]) -> AllowanceView {
    let next = current.iter().find(|a| a.available > 0).or(current.first());
    let Some(next) = next else {
        return AllowanceView {
            kind: "none",
            words: "No pictures left".into(),
            percent: None,
            low: true,
            empty: true,
            until_words: String::new(),
            cost_words: "",
        };
    };
    let left = next.available;
    match next.kind() {
        Kind::Trial => AllowanceView {
            kind: "trial",
            words: match left {
                0 => "No free pictures left".into(),
                1 => "1 free picture left".into(),
                n => format!("{n} free pictures left"),
            },
            percent: None,
            low: left <= TRIAL_LOW,
            empty: left == 0,
            until_words: String::new(),
            cost_words: if left > 0 { "Uses your free pictures" } else { "" },
        },
        Kind::Quota => {
            let percent = bucket(left, next.granted);
            AllowanceView {
                kind: "quota",
                words: if left == 0 { "Nothing left".into() } else { format!("About {percent} % left") },
                percent: Some(percent),
                low: percent <= QUOTA_LOW_PERCENT,
                empty: left == 0,
                until_words: next.expires_at.map(moment).unwrap_or_default(),
                cost_words: "Uses your monthly plan",
            }
        }
        Kind::Tokens => AllowanceView {
            kind: "tokens",
            words: format!("{} tokens", grouped(left)),
            percent: None,
            low: false,
            empty: left == 0,
            until_words: String::new(),
            cost_words: "Uses your tokens",
        },
    }
}

impl AllowanceView {
    /// Nothing is left because the plan ended then.
    #[must_use]
    pub fn since(self, plan_ended: Option<DateTime<Utc>>) -> Self {
        match plan_ended {
            Some(at) if self.empty && self.kind != "quota" => {
                Self { kind: "expired", words: "Plan ended".into(), until_words: moment(at), ..self }
            }
            _ => self,
        }
    }
}

/// 100, 80, 60, 40, 20 or 0: rounded up, so that anything above nothing is not shown as nothing.
#[must_use]
pub const fn bucket(left: i64, limit: i64) -> i64 {
    if left <= 0 || limit <= 0 {
        return 0;
    }
    let steps = (left * 5 + limit - 1) / limit;
    (if steps > 5 { 5 } else { steps }) * 20
}

fn grouped(n: i64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_shown_in_steps() {
        let shown = [100, 81, 80, 61, 60, 41, 40, 21, 20, 1, 0].map(|left| bucket(left, 100));
        assert_eq!(shown, [100, 100, 80, 80, 60, 60, 40, 40, 20, 20, 0]);
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
