//! Opens the account of somebody whom the mail does not reach.

use loco_rs::prelude::*;

use super::{required, say};
use crate::models::{activities::Actor, users};

const USAGE: &str = "nproxy task user_activate email:ADDRESS";

pub struct UserActivate;

#[async_trait]
impl Task for UserActivate {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "user_activate".into(), detail: format!("Open an account without its mail. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let email = required(vars, "email", USAGE)?;
        match users::activate_by_hand(ctx, email, &Actor::Cli).await? {
            Some(user) => say(format_args!("{email} is {}", user.status)),
            None => return Err(Error::Message(format!("there is no account {email}"))),
        }
        Ok(())
    }
}
