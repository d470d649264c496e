//! Archives as they are listed and named.

use chrono::{DateTime, Utc};
use loco_rs::Result;
use serde::Serialize;

use super::billing::moment;
use crate::models::exports::{Kind, Model, Part, README, State};

#[derive(Debug, Serialize)]
pub struct ExportView {
    pub pid: String,
    pub title: &'static str,
    pub ordered_words: String,
    pub is_preparing: bool,
    /// It takes room, which its person may want for another.
    pub can_be_deleted: bool,
    /// How it stands, in one sentence.
    pub state_words: String,
    pub parts: Vec<PartView>,
}

#[derive(Debug, Serialize)]
pub struct PartView {
    pub url: String,
    pub label: String,
}

/// # Errors
/// A row was changed by hand.
pub fn list(exports: &[Model], now: DateTime<Utc>) -> Result<Vec<ExportView>> {
    exports.iter().map(|export| view(export, now)).collect()
}

fn view(export: &Model, now: DateTime<Utc>) -> Result<ExportView> {
    let state = export.stands(now);
    let parts = export.parts()?;
    let count = parts.len();
    let part = |(at, part): (usize, &Part)| PartView {
        url: format!("/app/exports/{}?part={}", export.pid, at + 1),
        label: if count == 1 {
            format!("Download ({})", size(part.bytes))
        } else {
            format!("Part {} of {count} ({})", at + 1, size(part.bytes))
        },
    };
    Ok(ExportView {
        pid: export.pid.to_string(),
        title: match export.kind() {
            Kind::Pictures => "Chosen pictures",
            Kind::Everything => "Everything of yours",
        },
        ordered_words: moment(export.created_at),
        is_preparing: state == State::Preparing,
        can_be_deleted: export.state() != State::Gone,
        state_words: match (state, export.expires_at) {
            (State::Preparing, _) => "Being packed. You can leave this page; it will be here.".into(),
            (State::Ready, Some(end)) => format!("Ready. Kept until {}.{}", moment(end), left_out(&parts)),
            // It never was ready.
            (State::Gone, None) => "It could not be packed, and after two days was given up. Order it again.".into(),
            (State::Ready, None) | (State::Gone, Some(_)) => "Its time is over. Order it again if you need it.".into(),
        },
        parts: if state == State::Ready { parts.iter().enumerate().map(part).collect() } else { Vec::new() },
    })
}

/// `nproxy-pictures-20261129.zip`; with its number where there are several.
#[must_use]
pub fn file_name(export: &Model, number: usize, count: usize) -> String {
    let what = match export.kind() {
        Kind::Pictures => "pictures",
        Kind::Everything => "everything",
    };
    let part = if count > 1 { format!("-{number}-of-{count}") } else { String::new() };
    format!("nproxy-{what}-{}{part}.zip", export.created_at.format("%Y%m%d"))
}

fn left_out(parts: &[Part]) -> String {
    let place = if parts.len() > 1 { format!("{README} in the last part") } else { README.to_owned() };
    match parts.iter().map(|part| part.left_out).sum::<u64>() {
        0 => String::new(),
        1 => format!(" One picture could not be read and is not in it: {place} says which."),
        n => format!(" {n} pictures could not be read and are not in it: {place} says which."),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=999_999 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
