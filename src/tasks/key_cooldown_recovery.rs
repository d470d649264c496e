//! Scheduled: keys whose rest is over become active in the books as well.

use loco_rs::prelude::*;

use super::say;
use crate::models::provider_keys::health;

pub struct KeyCooldownRecovery;

#[async_trait]
impl Task for KeyCooldownRecovery {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "key_cooldown_recovery".into(),
            detail: "Return rested provider keys to active (scheduled). nproxy task key_cooldown_recovery".into(),
        }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        let recovered = health::recover_cooled(ctx).await?;
        if recovered > 0 {
            say(format_args!("{recovered} keys are active again"));
        }
        Ok(())
    }
}
