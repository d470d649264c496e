//! When a vendor says to come back.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Nothing the vendor measures lasts longer than one day, and one day a year has 25 hours.
const LONGEST: Duration = Duration::from_secs(26 * 3600);

/// The largest of the given delays, within reason.
pub(super) fn longest(delays: impl IntoIterator<Item = Duration>) -> Option<Duration> {
    delays.into_iter().max().map(|delay| delay.min(LONGEST))
}

/// `Retry-After`, in seconds or as an HTTP date; the largest if there are several.
pub(super) fn header(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let values = headers.get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(|value| after(value.trim(), now)).max()
}

fn after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    // A date in the past means now.
    Some(date.signed_duration_since(now).to_std().unwrap_or_default())
}

/// `22s`, `38.2s`, `817.5ms`, `5h12m3.4s` at the beginning of `text`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = None::<f64>;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let Ok(number) = rest[..digits].parse::<f64>() else { break };
        let (factor, unit) = match &rest[digits..] {
            unit if unit.starts_with("ms") => (0.001, 2),
            unit if unit.starts_with('h') => (3600.0, 1),
            unit if unit.starts_with('m') => (60.0, 1),
            unit if unit.starts_with('s') => (1.0, 1),
            _ => break,
        };
        total = Some(total.unwrap_or_default() + number * factor);
        rest = &rest[digits + unit..];
    }
    Duration::try_from_secs_f64(total?).ok()
}

/// The wait inside a sentence: `… Please retry in 8.9s.`
pub(super) fn in_words(message: &str) -> Option<Duration> {
    let at = message.find("retry in ")? + "retry in ".len();
    duration(&message[at..])
}

/// How long until daily quotas start again: the next midnight in California.
pub(super) fn until_pacific_midnight(now: DateTime<Utc>) -> Duration {
    let today = (now.naive_utc() + pacific_offset(now.naive_utc())).date();
    let midnight = today.checked_add_days(Days::new(1)).unwrap_or(today).and_time(NaiveTime::MIN);
    // The clocks change at two in the morning, so the offset of a midnight is the one just before it.
    let midnight = midnight - pacific_offset(midnight + TimeDelta::hours(8) - TimeDelta::seconds(1));
    (midnight - now.naive_utc()).to_std().unwrap_or_default()
}

/// UTC−7 from the second Sunday of March to the first Sunday of November, both at 2:00 local time, else UTC−8: United
/// States law since 2007. Should it change, keys come back an hour early or late.
fn pacific_offset(utc: NaiveDateTime) -> TimeDelta {
    let sunday = |month, nth, hour| {
        NaiveDate::from_weekday_of_month_opt(utc.year(), month, Weekday::Sun, nth)
            .and_then(|day| day.and_hms_opt(hour, 0, 0))
    };
    let summer = sunday(3, 2, 10).is_some_and(|start| utc >= start) && sunday(11, 1, 9).is_some_and(|end| utc < end);
    TimeDelta::hours(if summer { -7 } else { -8 })
}
