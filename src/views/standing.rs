//! How the business stands, as the dashboard shows it: tiles, curves with their numbers, lists.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;

use crate::models::{
    backups::Standing as Backups,
    catalogue::money,
    health::{Condition, Part},
    standing::{DAYS, Outcome, Purse, Revenue, Standing},
};

#[derive(Debug, Serialize)]
pub struct StandingView {
    tiles: Vec<Tile>,
    charts: Vec<Chart>,
    calls: Vec<CallsView>,
    keys: Vec<KeysView>,
    purses: Vec<PurseView>,
}

/// One figure, and the page where it is at home.
#[derive(Debug, Serialize)]
struct Tile {
    label: &'static str,
    value: String,
    note: String,
    /// `""`, `"warning"` or `"error"`.
    tone: &'static str,
    url: &'static str,
}

/// A curve, and the same as a table.
#[derive(Debug, Serialize)]
struct Chart {
    id: &'static str,
    title: &'static str,
    /// What the browser draws; `<` does not stand in it.
    json: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct CallsView {
    class: String,
    calls: i64,
    share: String,
}

#[derive(Debug, Serialize)]
struct KeysView {
    provider: String,
    state: String,
    keys: i64,
}

#[derive(Debug, Serialize)]
struct PurseView {
    id: i64,
    label: String,
    provider: String,
    left: String,
    days: String,
    is_low: bool,
}

/// One part of the health page.
#[derive(Debug, Serialize)]
pub struct PartView {
    name: String,
    condition: &'static str,
    word: &'static str,
    says: String,
    remedy: &'static str,
}

#[must_use]
pub fn view(standing: &Standing) -> StandingView {
    StandingView {
        tiles: tiles(standing),
        charts: vec![revenue(standing), outcomes(standing)],
        calls: calls(standing),
        keys: standing
            .keys
            .states
            .iter()
            .map(|(provider, state, keys)| KeysView {
                provider: provider.clone(),
                state: state.replace('_', " "),
                keys: *keys,
            })
            .collect(),
        purses: standing.balances.iter().map(purse).collect(),
    }
}

#[must_use]
pub fn parts(parts: Vec<Part>) -> Vec<PartView> {
    parts
        .into_iter()
        .map(|part| {
            let (condition, word) = match part.condition {
                Condition::Well => ("well", "Well"),
                Condition::Warns => ("warns", "Look"),
                Condition::Down => ("down", "Down"),
                Condition::Absent => ("absent", "Not used"),
            };
            PartView { name: part.name, condition, word, says: part.says, remedy: part.remedy }
        })
        .collect()
}

fn tiles(standing: &Standing) -> Vec<Tile> {
    let now = standing.now;
    let queue = &standing.queue;
    let mut sums = BTreeMap::<&str, (i64, i64)>::new();
    for day in &standing.revenue {
        let sum = sums.entry(&day.currency).or_default();
        *sum = (sum.0 + day.minor, sum.1 + day.invoices);
    }
    let paid: i64 = sums.values().map(|(_, invoices)| invoices).sum();
    let revenue: Vec<_> = sums.iter().map(|(currency, (minor, _))| money(*minor, currency)).collect();
    let tile = |label, value: String, note: String, tone, url| Tile { label, value, note, tone, url };
    let (ok, all) = success(standing);
    vec![
        tile(
            "Revenue, 30 days",
            if revenue.is_empty() { "0".into() } else { revenue.join(", ") },
            format!("{paid} paid"),
            "",
            "/admin/payments",
        ),
        tile(
            "Active plans",
            standing.plans.active.to_string(),
            format!("{} end within 3 days", standing.plans.ending_soon),
            "",
            "/admin/subscriptions",
        ),
        tile(
            "A picture takes",
            standing.latency.as_ref().map_or("–".into(), |took| seconds(took.p50)),
            standing.latency.as_ref().map_or("no pictures in 24 hours".into(), |took| {
                format!("95 of 100 within {}; the last {}", seconds(took.p95), took.pictures)
            }),
            "",
            "/admin/generations",
        ),
        tile(
            "Calls that brought a picture",
            if all == 0 { "–".into() } else { percent(ok, all) },
            format!("{ok} of {all} in 24 hours"),
            if all >= 20 && ok * 10 < all * 8 { "warning" } else { "" },
            "/admin/generations",
        ),
        tile(
            "Keys that can work",
            standing.keys.eligible.to_string(),
            format!("{} calls under way, {} proxies rest", standing.keys.leases, standing.resting_proxies),
            match standing.keys.eligible {
                0 => "error",
                1 => "warning",
                _ => "",
            },
            "/admin/keys",
        ),
        tile(
            "Oldest job that is due",
            queue.waits_since.map_or("none".into(), |since| age(now, since)),
            format!("{} due, {} given up", queue.ready, queue.dead),
            if queue.dead > 0 { "warning" } else { "" },
            "/admin/jobs",
        ),
        tile(
            "Oldest payment news to look at",
            queue.payment_since.map_or("none".into(), |since| age(now, since)),
            "webhooks that came in".into(),
            if queue.payment_since.is_some_and(|since| now - since > TimeDelta::minutes(15)) { "warning" } else { "" },
            "/admin/payments",
        ),
        tile(
            "Uploads that hang",
            standing.uploads_waiting.to_string(),
            "on their way for over an hour".into(),
            if standing.uploads_waiting > 0 { "warning" } else { "" },
            "/admin/health",
        ),
        stored(standing),
        room(standing),
        backup(standing),
    ]
}

fn stored(Standing { now, stored, .. }: &Standing) -> Tile {
    let (value, note) = match stored {
        Some(size) => (
            bytes(size.bytes.unsigned_abs()),
            format!("{} files, counted {} ago", size.objects, age(*now, size.counted_at)),
        ),
        None => ("–".into(), "not counted yet".into()),
    };
    Tile { label: "Stored", value, note, tone: "", url: "/admin/health" }
}

fn room(Standing { room, .. }: &Standing) -> Tile {
    let (value, note, tone) = match room {
        Some(room) if room.is_full() => (bytes(room.free), format!("of {}: full", bytes(room.all)), "error"),
        Some(room) if room.is_scarce() => (bytes(room.free), format!("of {}", bytes(room.all)), "warning"),
        Some(room) => (bytes(room.free), format!("of {}", bytes(room.all)), ""),
        None => ("–".into(), "the disk does not answer".into(), "error"),
    };
    Tile { label: "Room on disk", value, note, tone, url: "/admin/health" }
}

fn backup(Standing { now, backups, .. }: &Standing) -> Tile {
    let (value, note, tone) = match backups {
        None => ("never".into(), "none are taken".into(), "warning"),
        Some(Backups { last: None, is_late }) => {
            ("never".into(), "the first is due tonight".into(), if *is_late { "error" } else { "" })
        }
        Some(Backups { last: Some(last), is_late }) => (
            format!("{} ago", age(*now, last.taken_at)),
            format!("{}, {} files", bytes(last.bytes.unsigned_abs()), last.objects),
            if *is_late { "error" } else { "" },
        ),
    };
    Tile { label: "Last backup", value, note, tone, url: "/admin/health" }
}

fn success(standing: &Standing) -> (i64, i64) {
    let all = standing.calls.iter().map(|class| class.calls).sum();
    let ok = standing.calls.iter().filter(|class| class.class == "delivered").map(|class| class.calls).sum();
    (ok, all)
}

fn calls(standing: &Standing) -> Vec<CallsView> {
    let (_, all) = success(standing);
    let share = |calls| if all == 0 { String::new() } else { percent(calls, all) };
    standing
        .calls
        .iter()
        .map(|row| CallsView { class: row.class.replace('_', " "), calls: row.calls, share: share(row.calls) })
        .collect()
}

fn purse(Purse { key, days_left }: &Purse) -> PurseView {
    PurseView {
        id: key.id,
        label: key.label.clone(),
        provider: key.provider.clone(),
        left: money(key.balance_micros.unwrap_or_default() / 10_000, "USD"),
        days: days_left.map_or("–".into(), |days| format!("{days:.1}")),
        is_low: days_left.is_some_and(|days| days < 3.0),
    }
}

fn revenue(standing: &Standing) -> Chart {
    let mut currencies: Vec<_> = standing.revenue.iter().map(|day| day.currency.clone()).collect();
    currencies.sort();
    currencies.dedup();
    if currencies.is_empty() {
        currencies.push("USD".into());
    }
    let value = |day: &str, currency: &str| -> i64 {
        let of_day = |row: &&Revenue| row.day == day && row.currency == currency;
        standing.revenue.iter().filter(of_day).map(|row| row.minor).sum()
    };
    let days = days(standing.now);
    #[expect(clippy::cast_precision_loss, reason = "a curve")]
    let series: Vec<_> = currencies
        .iter()
        .map(|currency| {
            let values: Vec<_> = days.iter().map(|day| value(day, currency) as f64 / 100.0).collect();
            json!({ "label": currency, "values": values })
        })
        .collect();
    let row = |day: &String| {
        let sums = currencies.iter().map(|currency| money(value(day, currency), currency));
        std::iter::once(day.clone()).chain(sums).collect()
    };
    Chart {
        id: "revenue",
        title: "Revenue by day",
        json: embedded(&json!({ "days": days, "series": series })),
        columns: std::iter::once("Day".into()).chain(currencies.iter().cloned()).collect(),
        rows: days.iter().rev().map(row).collect(),
    }
}

fn outcomes(standing: &Standing) -> Chart {
    const STATES: [(&str, &[&str]); 4] = [
        ("Succeeded", &["succeeded"]),
        ("Failed", &["failed"]),
        ("Canceled", &["canceled"]),
        ("Under way", &["queued", "running"]),
    ];
    let value = |day: &str, states: &[&str]| -> i64 {
        let of_day = |row: &&Outcome| row.day == day && states.contains(&row.state.as_str());
        standing.outcomes.iter().filter(of_day).map(|row| row.runs).sum()
    };
    let days = days(standing.now);
    let series: Vec<_> = STATES
        .iter()
        .map(|(label, states)| {
            let values: Vec<_> = days.iter().map(|day| value(day, states)).collect();
            json!({ "label": label, "values": values })
        })
        .collect();
    let row = |day: &String| {
        let counts = STATES.iter().map(|(_, states)| value(day, states).to_string());
        std::iter::once(day.clone()).chain(counts).collect()
    };
    Chart {
        id: "outcomes",
        title: "Generations by outcome",
        json: embedded(&json!({ "days": days, "series": series })),
        columns: std::iter::once("Day".to_owned()).chain(STATES.iter().map(|(label, _)| (*label).to_owned())).collect(),
        rows: days.iter().rev().map(row).collect(),
    }
}

/// JSON that stands in a page and cannot end the element it stands in.
fn embedded(data: &serde_json::Value) -> String {
    data.to_string().replace('<', "\\u003c")
}

/// The days of the curves, oldest first, today last.
fn days(now: DateTime<Utc>) -> Vec<String> {
    let today = now.date_naive();
    (0..DAYS).rev().map(|ago| (today - TimeDelta::days(ago)).format("%Y-%m-%d").to_string()).collect()
}

/// In the largest unit that leaves a whole number of it.
fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut rest, mut tenths, mut unit) = (count, 0, 0);
    while rest >= 1000 && unit + 1 < units.len() {
        (rest, tenths, unit) = (rest / 1000, rest % 1000 / 100, unit + 1);
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{rest} {name}") } else { format!("{rest}.{tenths} {name}") }
}

fn seconds(ms: i64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn percent(part: i64, whole: i64) -> String {
    format!("{} %", part * 100 / whole.max(1))
}

fn age(now: DateTime<Utc>, since: DateTime<Utc>) -> String {
    let age = now - since;
    match age.num_minutes() {
        ..1 => format!("{} s", age.num_seconds().max(0)),
        1..120 => format!("{} min", age.num_minutes()),
        120..2880 => format!("{} h", age.num_hours()),
        2880.. => format!("{} days", age.num_days()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_figures() {
        assert_eq!(seconds(1234), "1.2 s");
        for (count, words) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (5 << 40, "5.4 TB")]
        {
            assert_eq!(bytes(count), words);
        }
        let now: DateTime<Utc> = "2026-11-29T12:00:00Z".parse().unwrap();
        for (seconds, words) in [(-3, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (172_800, "2 days")] {
            assert_eq!(age(now, now - TimeDelta::seconds(seconds)), words);
        }
        assert!(!embedded(&json!({ "label": "</script><script>" })).contains('<'));
        let days = days(now);
        assert_eq!((days.len(), days.last().unwrap().as_str()), (30, now.format("%Y-%m-%d").to_string().as_str()));
        assert!(days.iter().all(|day| day.parse::<chrono::NaiveDate>().is_ok()));
    }
}
