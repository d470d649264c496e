//! Puts a balance right, up or down.

use loco_rs::prelude::*;
use serde_json::json;

use super::{number, required, say, wants_json};
use crate::models::{
    activities::Actor,
    allowances::{self, AMOUNT_MAX, Adjustment, Closed},
};

const USAGE: &str = "nproxy task allowance_adjust allowance:ID by:NUMBER reason:WORDS [json:true]";

pub struct AllowanceAdjust;

#[async_trait]
impl Task for AllowanceAdjust {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "allowance_adjust".into(),
            detail: format!("Add to what is free of an allowance, or take it away (by:-5). {USAGE}"),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let id = number(vars, "allowance", USAGE)?;
        let by = number(vars, "by", USAGE)?;
        if by == 0 || by.abs() > AMOUNT_MAX {
            let message = format!("by: takes a number other than zero, at most {AMOUNT_MAX}\nusage: {USAGE}");
            return Err(Error::Message(message));
        }
        let reason = required(vars, "reason", USAGE)?;
        let refused = match allowances::adjust_by_hand(ctx, id, by, reason, &Actor::Cli).await? {
            Adjustment::Adjusted(now) if wants_json(vars) => {
                say(json!({ "allowance": id, "by": by, "available": now.available, "posted": now.posted }));
                return Ok(());
            }
            Adjustment::Adjusted(now) => {
                say(format_args!("allowance {id}: {by:+}, now {} free of {}", now.available, now.posted));
                return Ok(());
            }
            Adjustment::BelowZero { free } => format!("only {free} are free, so nothing was taken"),
            Adjustment::Closed(Closed::Ended) => "its period is over: grant anew instead".into(),
            Adjustment::Closed(Closed::Revoked) => "it was taken back: grant anew instead".into(),
            Adjustment::Unknown => "there is none".into(),
        };
        Err(Error::Message(format!("allowance {id}: {refused}")))
    }
}
