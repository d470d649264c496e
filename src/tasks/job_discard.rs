//! Gives a job up that waits or is dead.

use loco_rs::prelude::*;
use serde_json::json;

use super::{number, required, say, wants_json};
use crate::models::{activities::Actor, jobs};

const USAGE: &str = "nproxy task job_discard job:ID reason:WORDS [json:true]";

pub struct JobDiscard;

#[async_trait]
impl Task for JobDiscard {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "job_discard".into(), detail: format!("Give a job up for good. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let (id, reason) = (number(vars, "job", USAGE)?, required(vars, "reason", USAGE)?);
        if !jobs::discard(ctx, id, reason, &Actor::Cli).await? {
            return Err(Error::Message(format!("there is no job {id} that waits or is dead")));
        }
        if wants_json(vars) {
            say(json!({ "id": id, "discarded": true }));
        } else {
            say(format_args!("job {id} is given up"));
        }
        Ok(())
    }
}
