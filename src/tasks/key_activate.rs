//! Brings a key back into service; nothing but an admin does that.

use loco_rs::prelude::*;

use super::{is_true, keys, optional, say, wants_json};
use crate::models::{
    activities::Actor,
    provider_keys::activation::{self, Activation},
};

const USAGE: &str = "nproxy task key_activate key:ID|LABEL [reason:TEXT] [unasked:true] [json:true]";

pub struct KeyActivate;

#[async_trait]
impl Task for KeyActivate {
    fn task(&self) -> TaskInfo {
        let detail = format!("Bring a key back; the vendor is asked first, unless unasked:true. {USAGE}");
        TaskInfo { name: "key_activate".into(), detail }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let key = keys::named(ctx, vars, USAGE).await?;
        let reason = optional(vars, "reason").unwrap_or("activated on the console");
        match activation::activate(ctx, key.id, is_true(vars, "unasked"), reason, &Actor::Cli).await? {
            Activation::Activated(key) if wants_json(vars) => say(keys::shown(&key)),
            Activation::Activated(key) => say(format_args!("key {} ({}) is {}", key.id, key.label, key.state)),
            Activation::NotTaken(checked) => {
                let words = checked.in_words();
                return Err(Error::Message(format!(
                    "key {} ({}) stays {}: {words}; with unasked:true it is activated all the same",
                    key.id, key.label, key.state
                )));
            }
        }
        Ok(())
    }
}
