//! Scheduled: people whose plan ends, or has ended, hear of it.

use loco_rs::prelude::*;

use super::say;
use crate::models::subscriptions;

pub struct SubscriptionExpiryWarnings;

#[async_trait]
impl Task for SubscriptionExpiryWarnings {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "subscription_expiry_warnings".into(),
            detail: "Mail those whose plan ends in 7, 3 or 1 days, or has ended, once each (scheduled). nproxy task \
                     subscription_expiry_warnings"
                .into(),
        }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        match subscriptions::warn_due(ctx).await? {
            0 => {}
            n => say(format_args!("{n} people are told")),
        }
        Ok(())
    }
}
