//! The plan, what is left of it, what happens next, and how to pay for it.

pub mod history;

use chrono::{DateTime, Months, Utc};
use serde::Serialize;

use super::allowances::{AllowanceView, bucket};
use crate::models::{
    allowances,
    catalogue::Catalogue,
    subscriptions::{Cycles, Model, State},
};

#[derive(Debug, Serialize)]
pub struct PlanView {
    pub name: &'static str,
    pub price_words: String,
    pub includes_words: &'static str,
    /// Where things stand, in one sentence with its date.
    pub state_words: String,
    /// Since when without a break; empty while nothing runs.
    pub since_words: String,
    /// What happens next, and what the person can do about it.
    pub next_words: String,
    /// A further month is on offer.
    pub is_renewable: bool,
    pub is_active: bool,
    pub pay_label: &'static str,
    /// The paid month that waits can begin now.
    pub has_next: bool,
}

/// A processor as a button.
#[derive(Debug, Serialize)]
pub struct WayView {
    pub processor: &'static str,
    pub label: String,
    pub words: &'static str,
}

/// The one thing that a person most likely wants now.
#[derive(Debug, Serialize)]
pub struct MainAction {
    pub label: &'static str,
    pub url: &'static str,
    pub icon: &'static str,
}

/// The question before the next month begins early.
#[derive(Debug, Serialize)]
pub struct EarlyStartView {
    pub lost_words: String,
    pub new_words: String,
    pub was_words: String,
    /// Names the month that is meant, so that a second press is not about another.
    pub waiting: i64,
}

#[must_use]
pub fn plan(catalogue: &Catalogue, cycles: &Cycles, subscription: Option<&Model>) -> PlanView {
    let state = cycles.state();
    PlanView {
        name: "Monthly",
        price_words: format!("{} a month", catalogue.plan().price_words()),
        includes_words: "A month of pictures in every shape and size, from words or from your own pictures.",
        state_words: state_words(cycles),
        since_words: match (state, subscription) {
            (State::Active, Some(row)) => format!("On this plan since {}.", row.activated_at.format("%-d %B %Y")),
            _ => String::new(),
        },
        next_words: next_words(cycles),
        is_renewable: cycles.is_renewable(),
        is_active: state == State::Active,
        pay_label: if state == State::Never { "Pay for a month" } else { "Renew" },
        has_next: cycles.queued.is_some(),
    }
}

fn state_words(cycles: &Cycles) -> String {
    match (cycles.running.as_ref().and_then(|month| Some((month, month.expires_at?))), cycles.ended_at) {
        (Some((month, end)), _) => format!("Active until {} – {}.", moment(end), left(month)),
        (None, Some(end)) => format!("Your plan ended on {}. What you made stays yours.", moment(end)),
        (None, None) => "Not active.".into(),
    }
}

fn next_words(cycles: &Cycles) -> String {
    match (&cycles.queued, &cycles.running) {
        (Some(next), _) => format!("Your next month is paid. It begins on {}, in full.", moment(next.starts_at)),
        (None, Some(month)) if month.available == 0 => {
            "All of this month is used. Pay for another one and it begins at once, in full.".into()
        }
        (None, Some(month)) => {
            let end = month.expires_at.map(moment).unwrap_or_default();
            format!(
                "It ends by itself, and nothing is charged. Pay for the next month now and it begins on {end}, in full."
            )
        }
        (None, None) => "Pay for a month and it begins at once. Nothing renews by itself.".into(),
    }
}

/// Nothing to make pictures with: paying, or the month that is paid already. Otherwise: pictures.
#[must_use]
pub fn main_action(plan: &PlanView, allowance: &AllowanceView, owes: bool) -> MainAction {
    if !allowance.empty && !owes {
        MainAction { label: "Make a picture", url: "/app/conversations", icon: "wand-sparkles" }
    } else if plan.is_renewable {
        MainAction { label: plan.pay_label, url: "/app/billing#pay", icon: "credit-card" }
    } else {
        MainAction { label: "Start my next month now", url: "/app/billing/early-start", icon: "arrow-right" }
    }
}

/// `None` when no month waits.
#[must_use]
pub fn early_start(cycles: &Cycles, now: DateTime<Utc>) -> Option<EarlyStartView> {
    let next = cycles.queued.as_ref()?;
    let was = moment(next.starts_at);
    let lost_words = match (&cycles.running, cycles.is_used_up()) {
        (None, _) => String::new(),
        (Some(_), true) => "Nothing is left of the running month, so nothing is lost but its days.".into(),
        (Some(month), false) => format!(
            "What is left of the running month, about {} % of it, is given up. It would count until {}.",
            bucket(month.available, month.granted),
            month.expires_at.map(moment).unwrap_or_default(),
        ),
    };
    Some(EarlyStartView {
        lost_words,
        new_words: format!("Your next month begins at once, in full, and ends on {}.", moment(now + Months::new(1))),
        was_words: format!("If you wait, it begins by itself on {was}."),
        waiting: next.starts_at.timestamp_micros(),
    })
}

#[must_use]
pub fn ways(processors: impl Iterator<Item = &'static str>) -> Vec<WayView> {
    let label = |processor| match processor {
        "manual" => "Pay by arrangement".to_owned(),
        _ => format!("Pay with crypto: {}", name(processor)),
    };
    processors.map(|processor| WayView { processor, label: label(processor), words: words(processor) }).collect()
}

/// A processor's own name.
#[must_use]
pub fn name(processor: &str) -> &'static str {
    match processor {
        "btcpay" => "Bitcoin or Lightning",
        "nowpayments" => "Other coins",
        "manual" => "By arrangement",
        _ => "Crypto",
    }
}

fn words(processor: &str) -> &'static str {
    match processor {
        "btcpay" => "On our own BTCPay Server",
        "nowpayments" => "At NOWPayments",
        "manual" => "You write to us, and we confirm it by hand",
        _ => "",
    }
}

fn left(month: &allowances::Model) -> String {
    match bucket(month.available, month.granted) {
        0 => "nothing left".into(),
        percent => format!("about {percent} % left"),
    }
}

/// `24 November 2026, 05:00 UTC`
#[must_use]
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}
