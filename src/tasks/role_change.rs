//! Gives somebody another role.

use loco_rs::prelude::*;
use serde_json::json;

use super::{optional, required, roles, say, wants_json};
use crate::models::{
    activities::Actor,
    users::{self, Appointment},
};

const USAGE: &str = "nproxy task role_change email:ADDRESS role:user|support|admin|owner [reason:TEXT] [json:true]";

pub struct RoleChange;

#[async_trait]
impl Task for RoleChange {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "role_change".into(), detail: format!("Give an account another role. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let email = required(vars, "email", USAGE)?;
        let role = roles::named(required(vars, "role", USAGE)?, USAGE)?;
        let reason = optional(vars, "reason").unwrap_or("changed on the console");
        let Some(user) = users::by_email(&ctx.db, &users::normalized(email)).await? else {
            return Err(roles::refused(email, &Appointment::Nobody));
        };
        let user = match users::change_role(ctx, user.id, role, reason, &Actor::Cli).await? {
            Appointment::Changed(user) | Appointment::Same(user) => user,
            refused @ (Appointment::LastOwner | Appointment::NotOpen | Appointment::Nobody) => {
                return Err(roles::refused(email, &refused));
            }
        };
        if wants_json(vars) {
            say(json!({ "id": user.id, "email": user.email, "role": user.role }));
        } else {
            say(format_args!("{email} is {}", user.role));
        }
        Ok(())
    }
}
