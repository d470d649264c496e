//! Gives a month of the plan that nobody paid for.

use loco_rs::prelude::*;
use serde_json::json;

use super::{required, say, wants_json};
use crate::models::{activities::Actor, subscriptions};

const USAGE: &str = "nproxy task subscription_give email:ADDRESS reason:WORDS [json:true]";

pub struct SubscriptionGive;

#[async_trait]
impl Task for SubscriptionGive {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "subscription_give".into(),
            detail: format!("Give a month of the plan: at once, or behind the one that runs. {USAGE}"),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let email = required(vars, "email", USAGE)?;
        let reason = required(vars, "reason", USAGE)?;
        let given = subscriptions::give_month(ctx, email, reason, &Actor::Cli).await?;
        let Some(month) = given else { return Err(Error::Message(format!("there is no account {email}"))) };
        let (from, until) = (month.starts_at, month.expires_at);
        if wants_json(vars) {
            say(json!({ "allowance": month.id, "starts_at": from, "expires_at": until }));
        } else {
            let until = until.map(|end| end.to_rfc3339()).unwrap_or_default();
            say(format_args!("{email}: a month from {} to {until} (allowance {})", from.to_rfc3339(), month.id));
        }
        Ok(())
    }
}
