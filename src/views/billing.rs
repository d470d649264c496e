//! The plan, what is left of it, and how to pay for it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::allowances::bucket;
use crate::models::{allowances, catalogue::Catalogue, invoices::Cycles};

#[derive(Debug, Serialize)]
pub struct PlanView {
    pub name: &'static str,
    pub price_words: String,
    pub includes_words: &'static str,
    pub state_words: String,
    /// What happens next, and what the person can do about it.
    pub next_words: String,
    /// A further month is on offer.
    pub is_renewable: bool,
    pub is_active: bool,
}

/// A processor as a button.
#[derive(Debug, Serialize)]
pub struct WayView {
    pub processor: &'static str,
    pub name: &'static str,
    pub words: &'static str,
}

#[must_use]
pub fn plan(catalogue: &Catalogue, cycles: &Cycles) -> PlanView {
    let state_words = match cycles.running.as_ref().and_then(|month| Some((month, month.expires_at?))) {
        Some((month, end)) => format!("Active until {} – {}.", moment(end), left(month)),
        None => "Not active.".into(),
    };
    let next_words = match (&cycles.queued, &cycles.running) {
        (Some(next), _) => format!("Your next month is paid. It begins on {}.", moment(next.starts_at)),
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
    };
    PlanView {
        name: "Monthly",
        price_words: format!("{} a month", catalogue.plan().price_words()),
        includes_words: "A month of pictures in every shape and size, from words or from your own pictures.",
        state_words,
        next_words,
        is_renewable: cycles.is_renewable(),
        is_active: cycles.running.is_some(),
    }
}

#[must_use]
pub fn ways(processors: impl Iterator<Item = &'static str>) -> Vec<WayView> {
    processors.map(|processor| WayView { processor, name: name(processor), words: words(processor) }).collect()
}

/// A processor's own name.
#[must_use]
pub fn name(processor: &str) -> &'static str {
    match processor {
        "btcpay" => "Bitcoin or Lightning",
        "nowpayments" => "Other coins",
        _ => "Crypto",
    }
}

fn words(processor: &str) -> &'static str {
    match processor {
        "btcpay" => "On our own BTCPay Server",
        "nowpayments" => "At NOWPayments",
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
