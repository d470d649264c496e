//! Scheduled: jobs that are long over are taken away.

use loco_rs::prelude::*;

use super::say;
use crate::models::jobs;

pub struct JobsTidy;

#[async_trait]
impl Task for JobsTidy {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "jobs_tidy".into(),
            detail: "Take away jobs that were over 14 days ago (scheduled). nproxy task jobs_tidy".into(),
        }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        match jobs::tidy(ctx).await? {
            0 => {}
            n => say(format_args!("{n} jobs taken away")),
        }
        Ok(())
    }
}
