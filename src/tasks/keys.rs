//! What the tasks about provider keys share: which key is meant, and how it is shown.

use loco_rs::{Error, Result, app::AppContext, task::Vars};
use serde_json::{Value, json};

use super::required;
use crate::models::provider_keys::{self, Model};

/// The key that `key:` names, by id or by label.
pub async fn named(ctx: &AppContext, vars: &Vars, usage: &str) -> Result<Model> {
    let name = required(vars, "key", usage)?;
    let found = provider_keys::named(&ctx.db, name).await?;
    found.ok_or_else(|| Error::Message(format!("there is no key {name:?}; nproxy task key_list shows them")))
}

pub fn shown(key: &Model) -> Value {
    json!({
        "id": key.id, "provider": key.provider, "label": key.label, "hint": key.secret_hint,
        "state": key.state, "reason": key.state_reason, "cooldown_until": key.cooldown_until,
        "consecutive_failures": key.consecutive_failures, "successes": key.successes, "failures": key.failures,
        "max_concurrency": key.max_concurrency, "balance_micros": key.balance_micros,
        "balance_source": key.balance_source, "balance_checked_at": key.balance_checked_at,
    })
}
