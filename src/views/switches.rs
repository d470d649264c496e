//! The switches as the settings page shows them.

use serde::Serialize;

use crate::models::switches::{Switch, Switches};

#[derive(Debug, Serialize)]
pub struct SwitchView {
    name: String,
    title: &'static str,
    about: &'static str,
    on: bool,
    /// What people read now, or would.
    says: String,
    reason: String,
    actor: String,
    since: String,
    throw_label: &'static str,
    release_label: &'static str,
    typed_reason: String,
    fault: String,
}

/// A form that was not taken.
#[derive(Debug)]
pub struct Typed<'a> {
    pub switch: Switch,
    pub says: &'a str,
    pub reason: &'a str,
    pub fault: &'a str,
}

#[must_use]
pub fn list(thrown: &Switches, typed: Option<&Typed<'_>>) -> Vec<SwitchView> {
    Switch::all().into_iter().map(|switch| view(switch, thrown, typed.filter(|typed| typed.switch == switch))).collect()
}

fn view(switch: Switch, thrown: &Switches, typed: Option<&Typed<'_>>) -> SwitchView {
    let row = thrown.get(switch);
    let (title, about, throw_label, release_label) = words(switch);
    SwitchView {
        name: switch.name(),
        title,
        about,
        on: row.is_some(),
        says: match (typed, row) {
            (Some(typed), _) => typed.says.to_owned(),
            (None, Some(row)) => row.says.clone(),
            (None, None) => switch.says().to_owned(),
        },
        reason: row.map(|row| row.reason.clone()).unwrap_or_default(),
        actor: row.map(|row| row.actor.clone()).unwrap_or_default(),
        since: row.map(|row| row.thrown_at.to_rfc3339()).unwrap_or_default(),
        throw_label,
        release_label,
        typed_reason: typed.map(|typed| typed.reason.to_owned()).unwrap_or_default(),
        fault: typed.map(|typed| typed.fault.to_owned()).unwrap_or_default(),
    }
}

const fn words(switch: Switch) -> (&'static str, &'static str, &'static str, &'static str) {
    match switch {
        Switch::Banner => ("Banner", "A sentence above every page, for everybody.", "Put it up", "Take it down"),
        Switch::SignUpsClosed => (
            "Sign-ups",
            "Nobody new can register. Who has an account is not touched.",
            "Close sign-ups",
            "Open sign-ups",
        ),
        Switch::GenerationPaused => (
            "Generation",
            "No picture is begun. Runs under way are finished and paid for as ever.",
            "Pause generation",
            "Resume generation",
        ),
    }
}
