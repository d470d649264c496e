//! Shows what is switched.

use loco_rs::prelude::*;
use serde_json::json;

use super::{say, wants_json};
use crate::models::switches::{self, Switch};

pub struct SwitchList;

#[async_trait]
impl Task for SwitchList {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "switch_list".into(),
            detail: "Show what is switched: banner, sign-ups, generation. nproxy task switch_list [json:true]".into(),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let thrown = switches::thrown(&ctx.db).await?;
        if wants_json(vars) {
            let row = |switch: Switch| {
                let row = thrown.get(switch);
                let (says, reason) = (row.map(|row| &row.says), row.map(|row| &row.reason));
                let (actor, since) = (row.map(|row| &row.actor), row.map(|row| row.thrown_at));
                json!({ "name": switch.name(), "on": row.is_some(), "says": says, "reason": reason, "actor": actor, "since": since })
            };
            say(json!(Switch::all().into_iter().map(row).collect::<Vec<_>>()));
            return Ok(());
        }
        for switch in Switch::all() {
            match thrown.get(switch) {
                Some(row) => say(format_args!(
                    "{:<18} on   since {} by {} ({}): {}",
                    row.name,
                    row.thrown_at.format("%Y-%m-%d %H:%M UTC"),
                    row.actor,
                    row.reason,
                    row.says
                )),
                None => say(format_args!("{:<18} off", switch.name())),
            }
        }
        Ok(())
    }
}
