//! Scheduled: limits that are used up no more, old sign-ins, sessions and links.

use loco_rs::prelude::*;

use super::say;
use crate::models::users;

pub struct AccountCleanup;

#[async_trait]
impl Task for AccountCleanup {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "account_cleanup".into(),
            detail: "Take away limits, sign-ins, sessions and links that are over (scheduled). \
                     nproxy task account_cleanup"
                .into(),
        }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        let swept = users::sweep(ctx).await?;
        if swept > 0 {
            say(format_args!("{swept} rows taken away"));
        }
        Ok(())
    }
}
