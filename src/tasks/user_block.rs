//! Shuts somebody out, at once.

use loco_rs::prelude::*;

use super::{optional, required, say_person};
use crate::models::{activities::Actor, users};

const USAGE: &str = "nproxy task user_block email:ADDRESS [reason:TEXT] [json:true]";

pub struct UserBlock;

#[async_trait]
impl Task for UserBlock {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "user_block".into(), detail: format!("Block an account: its sessions and links end. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let email = required(vars, "email", USAGE)?;
        let reason = optional(vars, "reason").unwrap_or("blocked on the console");
        say_person(vars, email, users::block(ctx, email, reason, &Actor::Cli).await?)
    }
}
