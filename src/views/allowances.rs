//! How much is left, in words. A monthly quota is shown in steps of twenty percent and never as a number.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::billing::moment;
use crate::models::{
    allowances::{Kind, Model},
    holds::Cost,
};

/// Below this many free pictures the page says so before the person is surprised.
const TRIAL_LOW: i64 = 1;
const QUOTA_LOW_PERCENT: i64 = 20;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AllowanceView {
    pub kind: &'static str,
    pub words: String,
    /// Only for a quota.
    pub percent: Option<i64>,
    pub low: bool,
    pub empty: bool,
    /// Until when a quota counts; when the plan ended, if nothing is left because of that. Empty otherwise.
    pub until_words: String,
    /// What there is beside that, such as `3 free pictures and 500 tokens`.
    pub also_words: String,
    /// Each on its own, in the order in which they are spent.
    #[serde(skip)]
    sources: Vec<(Kind, i64)>,
}

/// `current` in the order in which it is spent: the kind that is spent next is shown, all of it, and the others beside it.
#[must_use]
pub fn view(current: &[Model]) -> AllowanceView {
    let Some(next) = current.iter().find(|a| a.available > 0).or(current.first()) else {
        return AllowanceView {
            kind: "none",
            words: "No pictures left".into(),
            low: true,
            empty: true,
            ..Default::default()
        };
    };
    let sum = |kind: Kind| current.iter().filter(|a| a.kind() == kind).map(|a| a.available).sum::<i64>();
    let others = [Kind::Quota, Kind::Trial, Kind::Tokens].into_iter().filter(|kind| *kind != next.kind());
    let also: Vec<String> = others.filter_map(|kind| amount(kind, sum(kind))).collect();
    let left = sum(next.kind());
    let shown = AllowanceView {
        empty: left == 0,
        also_words: also.join(" and "),
        sources: current.iter().map(|a| (a.kind(), a.available)).collect(),
        ..Default::default()
    };
    match next.kind() {
        Kind::Trial => AllowanceView {
            kind: "trial",
            words: format!("{} left", amount(Kind::Trial, left).unwrap_or_else(|| "No free pictures".into())),
            low: left <= TRIAL_LOW,
            ..shown
        },
        // Never as a number: of the month that is spent now.
        Kind::Quota => {
            let percent = bucket(next.available, next.granted);
            AllowanceView {
                kind: "quota",
                words: if next.available == 0 { "Nothing left".into() } else { format!("About {percent} % left") },
                percent: Some(percent),
                low: percent <= QUOTA_LOW_PERCENT,
                until_words: next.expires_at.map(moment).unwrap_or_default(),
                ..shown
            }
        }
        Kind::Tokens => AllowanceView { kind: "tokens", words: format!("{} tokens", grouped(left)), ..shown },
    }
}

/// So much of a kind, if it is anything.
fn amount(kind: Kind, left: i64) -> Option<String> {
    match (kind, left) {
        (_, ..=0) => None,
        (Kind::Quota, _) => Some("a monthly plan".into()),
        (Kind::Trial, 1) => Some("1 free picture".into()),
        (Kind::Trial, n) => Some(format!("{n} free pictures")),
        (Kind::Tokens, n) => Some(format!("{} tokens", grouped(n))),
    }
}

impl AllowanceView {
    /// What a run of this cost is paid with, by the rule of `holds::hold`: the first that can pay all of it.
    #[must_use]
    pub fn paid_with(&self, cost: Cost) -> String {
        let Some((kind, _)) = self.sources.iter().find(|(kind, available)| *available >= cost.of(*kind)) else {
            return if self.empty { self.words.clone() } else { "More than you have left".into() };
        };
        let left: i64 = self.sources.iter().filter(|(other, _)| other == kind).map(|(_, available)| available).sum();
        match (kind, amount(*kind, left)) {
            (Kind::Quota, _) | (_, None) => "Uses your monthly plan".into(),
            (Kind::Trial, Some(_)) if left == 1 => "Uses your last free picture".into(),
            (Kind::Trial | Kind::Tokens, Some(left)) => format!("Uses {} of your {left}", grouped(cost.of(*kind))),
        }
    }

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

pub(super) fn grouped(n: i64) -> String {
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
    fn what_pays_is_said_with_what_there_is_of_it() {
        let with = |sources: &[(Kind, i64)], outputs| {
            let view = AllowanceView { sources: sources.to_vec(), ..AllowanceView::default() };
            view.paid_with(Cost { outputs, tokens_each: 100 })
        };
        assert_eq!(with(&[(Kind::Trial, 3)], 2), "Uses 2 of your 3 free pictures");
        assert_eq!(with(&[(Kind::Trial, 1)], 1), "Uses your last free picture");
        assert_eq!(with(&[(Kind::Trial, 1)], 2), "More than you have left");
        assert_eq!(with(&[(Kind::Trial, 1), (Kind::Tokens, 30_000)], 2), "Uses 200 of your 30,000 tokens");
        assert_eq!(with(&[(Kind::Quota, 7), (Kind::Trial, 3)], 2), "Uses your monthly plan");
        let none = AllowanceView { words: "Plan ended".into(), empty: true, ..AllowanceView::default() };
        assert_eq!(none.paid_with(Cost { outputs: 1, tokens_each: 100 }), "Plan ended");
    }

    #[test]
    fn a_quota_is_shown_in_steps() {
        let shown = [100, 81, 80, 61, 60, 41, 40, 21, 20, 1, 0].map(|left| bucket(left, 100));
        assert_eq!(shown, [100, 100, 80, 80, 60, 60, 40, 40, 20, 20, 0]);
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
