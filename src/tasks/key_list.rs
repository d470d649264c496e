//! Shows the pool.

use loco_rs::prelude::*;
use serde_json::json;

use super::{say, wants_json};
use crate::models::provider_keys;

pub struct KeyList;

#[async_trait]
impl Task for KeyList {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "key_list".into(), detail: "Show the provider keys. nproxy task key_list [json:true]".into() }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let keys = provider_keys::list(&ctx.db).await?;
        if wants_json(vars) {
            let rows: Vec<_> = keys
                .iter()
                .map(|key| {
                    json!({
                        "id": key.id, "provider": key.provider, "label": key.label, "hint": key.secret_hint,
                        "state": key.state, "reason": key.state_reason, "cooldown_until": key.cooldown_until,
                        "consecutive_failures": key.consecutive_failures, "successes": key.successes,
                        "failures": key.failures, "max_concurrency": key.max_concurrency,
                    })
                })
                .collect();
            say(json!(rows));
            return Ok(());
        }
        if keys.is_empty() {
            say("no keys yet; add one with: nproxy task key_add");
        }
        for key in keys {
            let until =
                key.cooldown_until.map(|at| format!(" until {}", at.format("%H:%M:%S UTC"))).unwrap_or_default();
            let reason = key.state_reason.map(|r| format!(" ({r})")).unwrap_or_default();
            say(format_args!(
                "{:>4}  {:<10} {:<20} {:<8} {}{until}{reason}  {} ok, {} failed, {} in a row",
                key.id,
                key.provider,
                key.label,
                key.secret_hint,
                key.state,
                key.successes,
                key.failures,
                key.consecutive_failures
            ));
        }
        Ok(())
    }
}
