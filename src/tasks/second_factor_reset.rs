//! For a phone that was lost, and no recovery code left.

use loco_rs::prelude::*;

use super::{optional, required, say};
use crate::models::{activities::Actor, users::second_factors};

const USAGE: &str = "nproxy task second_factor_reset email:ADDRESS [reason:TEXT]";

pub struct SecondFactorReset;

#[async_trait]
impl Task for SecondFactorReset {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "second_factor_reset".into(),
            detail: format!("Take away a second factor; its person sets up another at the next visit. {USAGE}"),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let email = required(vars, "email", USAGE)?;
        let reason = optional(vars, "reason").unwrap_or("reset on the console");
        match second_factors::reset(ctx, email, reason, &Actor::Cli).await? {
            Some(_) => say(format_args!("{email} sets up a second factor at the next visit")),
            None => return Err(Error::Message(format!("there is no account {email}"))),
        }
        Ok(())
    }
}
