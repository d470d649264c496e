//! Finds people by a part of their mail address.

use loco_rs::prelude::*;
use serde_json::json;

use super::{required, say, wants_json};
use crate::models::users;

const USAGE: &str = "nproxy task user_find email:PART [json:true]";

pub struct UserFind;

#[async_trait]
impl Task for UserFind {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "user_find".into(), detail: format!("Find accounts by a part of the address. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let part = required(vars, "email", USAGE)?;
        let found = users::find(&ctx.db, part).await?;
        if wants_json(vars) {
            let rows: Vec<_> = found
                .iter()
                .map(|user| {
                    json!({
                        "id": user.id, "email": user.email, "status": user.status, "role": user.role,
                        "created_at": user.created_at,
                    })
                })
                .collect();
            say(json!(rows));
            return Ok(());
        }
        if found.is_empty() {
            return Err(Error::Message(format!("there is no account with {part:?} in its address")));
        }
        for user in found {
            let since = user.created_at.format("%Y-%m-%d");
            say(format_args!(
                "{:>6}  {:<40} {:<10} {:<8} since {since}",
                user.id,
                user.email(),
                user.status,
                user.role
            ));
        }
        Ok(())
    }
}
