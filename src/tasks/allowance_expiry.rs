//! Scheduled: what is left of months that are over is written off.

use loco_rs::prelude::*;

use super::say;
use crate::models::allowances::expiry;

pub struct AllowanceExpiry;

#[async_trait]
impl Task for AllowanceExpiry {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "allowance_expiry".into(),
            detail: "Write off what is left of months that are over (scheduled). nproxy task allowance_expiry".into(),
        }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        match expiry::expire_due(ctx).await? {
            0 => {}
            n => say(format_args!("{n} allowances were over")),
        }
        Ok(())
    }
}
