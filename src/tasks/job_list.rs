//! Shows jobs, those that died unless another state is asked for.

use loco_rs::prelude::*;
use serde_json::json;

use super::{number, optional, say, wants_json};
use crate::models::job_queue::{self, State};

const USAGE: &str = "nproxy task job_list [state:dead|queued|running|done] [before:JOB] [json:true]";

/// So much of an error on a line.
const ERROR_CHARS: usize = 160;

pub struct JobList;

#[async_trait]
impl Task for JobList {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "job_list".into(), detail: format!("Show jobs, the newest first. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let state = match optional(vars, "state") {
            None | Some("dead") => State::Dead,
            Some("queued") => State::Queued,
            Some("running") => State::Running,
            Some("done") => State::Done,
            Some(other) => return Err(Error::Message(format!("state:{other} is not known\nusage: {USAGE}"))),
        };
        let before = match optional(vars, "before") {
            Some(_) => Some(number(vars, "before", USAGE)?),
            None => None,
        };
        let found = job_queue::list(&ctx.db, state, before).await?;
        if wants_json(vars) {
            let rows: Vec<_> = found
                .iter()
                .map(|job| {
                    json!({
                        "id": job.id, "class": job.class, "args": job.args, "queue": job.queue, "attempts": job.attempts,
                        "max_attempts": job.max_attempts, "run_at": job.run_at, "created_at": job.created_at,
                        "finished_at": job.finished_at, "error": job.last_error,
                    })
                })
                .collect();
            say(json!(rows));
            return Ok(());
        }
        if found.is_empty() {
            say("no such jobs");
        }
        for job in found {
            let at = job.finished_at.unwrap_or(job.run_at).format("%Y-%m-%d %H:%M:%S");
            let error: String = job.last_error.unwrap_or_default().chars().take(ERROR_CHARS).collect();
            say(format_args!(
                "{:>6}  {at}  {:<20} {}/{}  {}  {error}",
                job.id, job.class, job.attempts, job.max_attempts, job.args
            ));
        }
        Ok(())
    }
}
