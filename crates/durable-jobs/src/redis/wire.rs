//! A job as Sidekiq 6 and 7 write it.
//!
//! ```json
//! {"class":"FulfilRun","args":[{"run":7}],"jid":"000000000000000000000011","queue":"default","retry":9,
//!  "created_at":1764435600.25,"enqueued_at":1764435600.5,"row":17}
//! ```
//!
//! Moments are floating-point seconds: the one form that all versions of Sidekiq read. `row` is ours, and Sidekiq keeps
//! keys that it does not know: it says that the table has the job. What is shown as scheduled, retried or dead also has
//! `as_of`, the number of attempts at the time; on a queue it means that an operator wants it now.

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use serde_json::{Map, Value, json};

use super::link::trouble;
use crate::{
    entity::job::{Model, State},
    jobs::DEFAULT_ATTEMPTS,
};

/// Rows that were adopted have the client's name of the job as their key.
pub(crate) const ADOPTED: &str = "jid:";

/// What a hint says.
#[derive(Debug, PartialEq)]
pub(super) enum Hint {
    /// A row of the table.
    Ours { row: i64, as_of: Option<i32> },
    /// Pushed by somebody else's client.
    Foreign(Foreign),
}

/// A job that is in Redis and may not be in the table.
#[derive(Debug, PartialEq)]
pub(super) struct Foreign {
    pub key: String,
    pub class: String,
    pub queue: String,
    pub args: Value,
    pub max_attempts: i32,
}

/// Reads what lies on a queue or in a sorted set, which may be anything.
pub(super) fn read(hint: impl AsRef<[u8]>) -> Result<Hint, String> {
    let job: Map<String, Value> = serde_json::from_slice(hint.as_ref()).map_err(|error| error.to_string())?;
    let name = |name: &str| job.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
    if let Some(row) = job.get("row").and_then(Value::as_i64) {
        let as_of = job.get("as_of").and_then(Value::as_i64).and_then(|it| it.try_into().ok());
        return Ok(Hint::Ours { row, as_of });
    }
    let Some(args) = job.get("args").and_then(Value::as_array) else { return Err("no array `args`".to_owned()) };
    Ok(Hint::Foreign(Foreign {
        key: format!("{ADOPTED}{}", name("jid").ok_or("no `jid`")?),
        class: name("class").ok_or("no `class`")?.to_owned(),
        queue: name("queue").ok_or("no `queue`")?.to_owned(),
        args: argument(args),
        max_attempts: attempts(job.get("retry")),
    }))
}

/// Sidekiq has a list of arguments, Loco one. A list of one is that one.
fn argument(args: &[Value]) -> Value {
    match args {
        [] => Value::Null,
        [one] => one.clone(),
        several => json!(several),
    }
}

/// `retry` counts what comes after the first attempt. `true` means the default, which is ours: the class is.
fn attempts(retry: Option<&Value>) -> i32 {
    match retry {
        Some(Value::Bool(false)) => 1,
        Some(Value::Number(retries)) => {
            let retries = retries.as_i64().unwrap_or_default().clamp(0, i64::from(i32::MAX) - 1);
            i32::try_from(retries + 1).unwrap_or(DEFAULT_ATTEMPTS)
        }
        _ => DEFAULT_ATTEMPTS,
    }
}

/// A due job, for its queue.
pub(super) fn due(row: &Model, now: DateTime<Utc>) -> Result<String, DbErr> {
    let mut job = envelope(row)?;
    job.insert("enqueued_at".to_owned(), json!(seconds(now)));
    Ok(Value::Object(job).to_string())
}

/// A job that waits or is dead, for the set it is shown in.
pub(super) fn shown(row: &Model, now: DateTime<Utc>) -> Result<String, DbErr> {
    let mut job = envelope(row)?;
    job.insert("as_of".to_owned(), json!(row.attempts));
    if let Some(error) = &row.last_error {
        let failed_at = seconds(row.finished_at.unwrap_or(now));
        job.insert("error_class".to_owned(), json!(kind(error)));
        job.insert("error_message".to_owned(), json!(error));
        job.insert("failed_at".to_owned(), json!(failed_at));
        job.insert("retry_count".to_owned(), json!(row.attempts.saturating_sub(1).max(0)));
        if row.attempts > 1 {
            job.insert("retried_at".to_owned(), json!(failed_at));
        }
    }
    Ok(Value::Object(job).to_string())
}

/// A job in the hands of a worker.
pub(super) fn at_work(id: i64, class: &str, queue: &str, args: &Value, (attempt, max): (i32, i32)) -> Value {
    json!({
        "class": class, "args": [args], "jid": own_jid(id), "queue": queue, "retry": max.saturating_sub(1),
        "retry_count": (attempt > 1).then(|| attempt - 2), "row": id,
    })
}

fn envelope(row: &Model) -> Result<Map<String, Value>, DbErr> {
    // What cannot be read is shown as it is; its claim will tell.
    let args: Value = serde_json::from_str(&row.args).unwrap_or_else(|_| json!(row.args));
    let retries = usize::try_from(row.max_attempts.saturating_sub(1)).unwrap_or_default();
    let ours = sidekiq::opts().queue(&row.queue).retry(retries).create_job(row.class.clone(), json!([args]));
    let mut ours = ours.map_err(trouble)?;
    ours.jid = jid(row);
    ours.created_at = seconds(row.created_at); // it was milliseconds
    let Value::Object(mut job) = serde_json::to_value(ours).map_err(trouble)? else {
        return Err(trouble("a job is no object"));
    };
    job.retain(|_, value| !value.is_null());
    job.insert("row".to_owned(), json!(row.id));
    Ok(job)
}

fn jid(row: &Model) -> String {
    let theirs = row.dedupe_key.as_deref().and_then(|key| key.strip_prefix(ADOPTED));
    theirs.map_or_else(|| own_jid(row.id), str::to_owned)
}

fn own_jid(id: i64) -> String {
    format!("{id:024x}")
}

/// In place of the class of an exception.
fn kind(error: &str) -> &'static str {
    match error {
        "unknown class" => "UnknownClass",
        _ if error.starts_with("panicked: ") => "Panic",
        _ if error.starts_with("the worker died") => "WorkerDied",
        _ if error.starts_with("malformed") => "Malformed",
        _ => "Error",
    }
}

/// When it is shown, or ended.
pub(super) fn score(row: &Model) -> f64 {
    seconds(if row.state == State::Dead { row.finished_at.unwrap_or(row.run_at) } else { row.run_at })
}

#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 fit into 53 bits until 2255")]
pub(super) fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Foreign, Hint, read};

    #[test]
    fn a_foreign_client_s_job_is_read_as_sidekiq_would() {
        let foreign = |args: &str, retry: &str| {
            read(format!(r#"{{"class":"Ping","args":{args},"jid":"ab","queue":"low","bid":"x"{retry}}}"#))
        };
        let expected = |args, max_attempts| {
            let (key, class, queue) = ("jid:ab".to_owned(), "Ping".to_owned(), "low".to_owned());
            Ok(Hint::Foreign(Foreign { key, class, queue, args, max_attempts }))
        };
        assert_eq!(foreign("[]", ""), expected(json!(null), 10));
        assert_eq!(foreign("[7]", r#","retry":null"#), expected(json!(7), 10));
        assert_eq!(foreign("[[7]]", r#","retry":true"#), expected(json!([7]), 10));
        assert_eq!(foreign("[7,8]", r#","retry":false"#), expected(json!([7, 8]), 1));
        assert_eq!(foreign("[{}]", r#","retry":3"#), expected(json!({}), 4));
        assert_eq!(foreign("[{}]", r#","retry":-3"#), expected(json!({}), 1));
        assert!(foreign("7", "").is_err());
        for malformed in ["", "[]", "{", r#"{"class":"Ping"}"#, r#"{"class":"Ping","args":[],"queue":"q"}"#] {
            assert!(read(malformed).is_err(), "{malformed}");
        }
    }
}
