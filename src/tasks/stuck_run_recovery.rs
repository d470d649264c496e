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
            let recovery::Recovered { ended, handed_on, keys_freed } = recovered;
            say(format_args!("{ended} runs ended, {handed_on} handed on, {keys_freed} keys taken back"));
        }
        Ok(())
    }
}
