//! Scheduled: looks for trouble that nobody's transaction tells of, and sends what was missed.

use loco_rs::prelude::*;

use crate::{context::Nproxy, models::alerts};

pub struct AlertCheck;

#[async_trait]
impl Task for AlertCheck {
    fn task(&self) -> TaskInfo {
        let detail = "Look for a queue that stands still and jobs that died (scheduled). nproxy task alert_check";
        TaskInfo { name: "alert_check".into(), detail: detail.into() }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        alerts::look(ctx).await?;
        if ctx.parts().telegram().is_some() {
            alerts::deliver_missed(ctx).await?;
        }
        Ok(())
    }
}
