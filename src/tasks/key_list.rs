//! Shows the pool.

use loco_rs::prelude::*;
use serde_json::json;

use super::{keys, say, wants_json};
use crate::models::provider_keys::{self, balance};

pub struct KeyList;

#[async_trait]
impl Task for KeyList {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "key_list".into(), detail: "Show the provider keys. nproxy task key_list [json:true]".into() }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let all = provider_keys::list(&ctx.db).await?;
        if wants_json(vars) {
            let mut rows = Vec::new();
            for key in &all {
                let mut row = keys::shown(key);
                row["days_left"] = json!(key.days_left(&ctx.db).await?);
                rows.push(row);
            }
            say(json!(rows));
            return Ok(());
        }
        if all.is_empty() {
            say("no keys yet; add one with: nproxy task key_add");
        }
        for key in all {
            let until =
                key.cooldown_until.map(|at| format!(" until {}", at.format("%H:%M:%S UTC"))).unwrap_or_default();
            let days = key.days_left(&ctx.db).await?.map(|days| format!(", {days:.1} days left")).unwrap_or_default();
            let balance =
                key.balance_micros.map(|left| format!("  {}{days}", balance::dollars(left))).unwrap_or_default();
            let reason = key.state_reason.map(|r| format!(" ({r})")).unwrap_or_default();
            say(format_args!(
                "{:>4}  {:<10} {:<20} {:<8} {}{until}{reason}  {} ok, {} failed, {} in a row{balance}",
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
