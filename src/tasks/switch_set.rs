//! Throws a switch while the site runs, or takes it back.

use loco_rs::prelude::*;

use super::{optional, required, say};
use crate::models::{
    activities::Actor,
    switches::{self, SAYS_MAX, Switch, Thrown},
};

const USAGE: &str = "nproxy task switch_set name:banner|sign_ups_closed|generation_paused on:true|false [says:SENTENCE] \
                     [reason:TEXT]";

pub struct SwitchSet;

#[async_trait]
impl Task for SwitchSet {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "switch_set".into(),
            detail: format!("Put up a banner, close sign-ups, pause generation, or take that back. {USAGE}"),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let name = required(vars, "name", USAGE)?;
        let Some(switch) = Switch::named(name) else {
            return Err(Error::Message(format!("name:{name} is not known\nusage: {USAGE}")));
        };
        let reason = optional(vars, "reason").unwrap_or("switched on the console");
        let says = optional(vars, "says").unwrap_or_default();
        let (on, thrown) = match required(vars, "on", USAGE)? {
            "true" => ("on", switches::throw(ctx, switch, says, reason, &Actor::Cli).await?),
            "false" => ("off", switches::release(ctx, switch, reason, &Actor::Cli).await?),
            other => return Err(Error::Message(format!("on:{other} is neither true nor false\nusage: {USAGE}"))),
        };
        match thrown {
            Thrown::Done => say(format_args!("{name} is {on}")),
            Thrown::Already => say(format_args!("{name} was {on} already")),
            Thrown::Speechless => {
                return Err(Error::Message(format!(
                    "says: takes a sentence of at most {SAYS_MAX} letters, and a banner needs one\nusage: {USAGE}"
                )));
            }
        }
        Ok(())
    }
}
