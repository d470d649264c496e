//! Lets a debt go.

use loco_rs::prelude::*;
use serde_json::json;

use super::{number, required, say, wants_json};
use crate::models::{
    activities::Actor,
    debts::{self, Forgiveness},
};

const USAGE: &str = "nproxy task debt_clear debt:ID reason:WORDS [json:true]";

pub struct DebtClear;

#[async_trait]
impl Task for DebtClear {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "debt_clear".into(), detail: format!("Let go what a person still owes of a debt. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let id = number(vars, "debt", USAGE)?;
        let reason = required(vars, "reason", USAGE)?;
        match debts::forgive_by_hand(ctx, id, reason, &Actor::Cli).await? {
            Forgiveness::Forgiven(amount) if wants_json(vars) => say(json!({ "debt": id, "forgiven": amount })),
            Forgiveness::Forgiven(amount) => say(format_args!("debt {id}: {amount} forgiven")),
            Forgiveness::AlreadyCleared => return Err(Error::Message(format!("debt {id} was cleared before"))),
            Forgiveness::Unknown => return Err(Error::Message(format!("debt {id}: there is none"))),
        }
        Ok(())
    }
}
