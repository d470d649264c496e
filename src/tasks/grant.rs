//! Gives a person pictures or tokens.

use chrono::Months;
use loco_rs::prelude::*;

use super::{optional, required, say};
use crate::models::{
    activities::Actor,
    allowances::{self, AMOUNT_MAX, Kind},
};

const USAGE: &str = "nproxy task grant email:ADDRESS kind:quota|trial|tokens amount:NUMBER [months:1] [reason:WORDS]";

pub struct Grant;

#[async_trait]
impl Task for Grant {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "grant".into(), detail: format!("Give a person pictures or tokens. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let email = required(vars, "email", USAGE)?;
        let kind = match required(vars, "kind", USAGE)? {
            "quota" => Kind::Quota,
            "trial" => Kind::Trial,
            "tokens" => Kind::Tokens,
            other => return Err(Error::Message(format!("kind:{other} is not known\nusage: {USAGE}"))),
        };
        let amount = required(vars, "amount", USAGE)?.parse::<i64>().ok().filter(|n| (1..=AMOUNT_MAX).contains(n));
        let amount = amount.ok_or_else(|| {
            Error::Message(format!("amount: takes a number above zero, at most {AMOUNT_MAX}\nusage: {USAGE}"))
        })?;
        let months = optional(vars, "months").unwrap_or("1").parse::<u32>().ok().filter(|n| *n > 0);
        let months =
            months.ok_or_else(|| Error::Message(format!("months: takes a number above zero\nusage: {USAGE}")))?;
        let reason = optional(vars, "reason").unwrap_or("granted on the console");
        match allowances::grant_by_hand(ctx, email, kind, amount, Months::new(months), reason, &Actor::Cli).await? {
            Some(granted) => say(format_args!("{email}: {amount} {} granted (allowance {})", granted.kind, granted.id)),
            None => return Err(Error::Message(format!("there is no account {email}"))),
        }
        Ok(())
    }
}
