//! Tries a dead job once more.

use loco_rs::prelude::*;
use serde_json::json;

use super::{number, say, wants_json};
use crate::models::{activities::Actor, jobs};

const USAGE: &str = "nproxy task job_retry job:ID [json:true]";

pub struct JobRetry;

#[async_trait]
impl Task for JobRetry {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "job_retry".into(), detail: format!("Try a dead job once more, with all its tries. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let id = number(vars, "job", USAGE)?;
        if !jobs::retry(ctx, id, &Actor::Cli).await? {
            return Err(Error::Message(format!("job {id} is not dead, or one like it is under way")));
        }
        if wants_json(vars) {
            say(json!({ "id": id, "state": "queued" }));
        } else {
            say(format_args!("job {id} is tried again"));
        }
        Ok(())
    }
}
