//! Takes a key out of service.

use loco_rs::prelude::*;

use super::{keys, optional, say, wants_json};
use crate::models::{activities::Actor, provider_keys::activation};

const USAGE: &str = "nproxy task key_disable key:ID|LABEL [reason:TEXT] [json:true]";

pub struct KeyDisable;

#[async_trait]
impl Task for KeyDisable {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "key_disable".into(), detail: format!("Take a key out of service. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let key = keys::named(ctx, vars, USAGE).await?;
        let reason = optional(vars, "reason").unwrap_or("disabled on the console");
        let key = activation::disable(ctx, key.id, reason, &Actor::Cli).await?;
        if wants_json(vars) {
            say(keys::shown(&key));
        } else {
            say(format_args!("key {} ({}) is {}", key.id, key.label, key.state));
        }
        Ok(())
    }
}
