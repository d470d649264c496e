//! Lets somebody in again.

use loco_rs::prelude::*;

use super::{optional, required, say_person};
use crate::models::{activities::Actor, users};

const USAGE: &str = "nproxy task user_unblock email:ADDRESS [reason:TEXT] [json:true]";

pub struct UserUnblock;

#[async_trait]
impl Task for UserUnblock {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "user_unblock".into(), detail: format!("Lift the block of an account. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let email = required(vars, "email", USAGE)?;
        let reason = optional(vars, "reason").unwrap_or("unblocked on the console");
        say_person(vars, email, users::unblock(ctx, email, reason, &Actor::Cli).await?)
    }
}
