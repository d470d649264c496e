//! The plan and what is left of it.

use serde::Serialize;

use crate::models::{
    allowances::{Kind, Model},
    catalogue::Catalogue,
};

#[derive(Debug, Serialize)]
pub struct PlanView {
    pub name: &'static str,
    pub price_words: String,
    pub includes_words: &'static str,
    pub state_words: String,
}

#[must_use]
pub fn plan(catalogue: &Catalogue, current: &[Model]) -> PlanView {
    let running = current.iter().find(|a| a.kind() == Kind::Quota);
    PlanView {
        name: "Monthly",
        price_words: format!("{} a month", catalogue.plan().price_words()),
        includes_words: "A month of pictures in every shape and size, from words or from your own pictures.",
        state_words: match running.and_then(|a| a.expires_at) {
            Some(end) => format!("Active until {}.", end.format("%-d %B %Y, %H:%M UTC")),
            None => "Not active.".into(),
        },
    }
}
