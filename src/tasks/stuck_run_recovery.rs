//! Scheduled: runs that nobody works on are ended or handed on.

use loco_rs::prelude::*;

use super::say;
use crate::models::runs::recovery;

pub struct StuckRunRecovery;

#[async_trait]
impl Task for StuckRunRecovery {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "stuck_run_recovery".into(),
            detail: "End or hand on runs that nobody works on (scheduled). nproxy task stuck_run_recovery".into(),
        }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        let recovered = recovery::recover_stuck(ctx).await?;
        if recovered != recovery::Recovered::default() {
            say(format_args!("{} runs ended, {} handed on", recovered.ended, recovered.handed_on));
        }
        Ok(())
    }
}
