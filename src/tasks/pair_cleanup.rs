//! Marks codes that have expired, and takes away old ones.

use loco_rs::prelude::*;
use serde_json::json;

use super::{say, wants_json};
use crate::models::telegram_pairings;

pub struct PairCleanup;

#[async_trait]
impl Task for PairCleanup {
    fn task(&self) -> TaskInfo {
        let detail = "Close pairing codes that have expired. nproxy task pair_cleanup [json:true]";
        TaskInfo { name: "pair_cleanup".into(), detail: detail.into() }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let (expired, removed) = telegram_pairings::cleanup(&ctx.db).await?;
        if wants_json(vars) {
            say(json!({ "expired": expired, "removed": removed }));
        } else {
            say(format_args!("{expired} codes have expired, {removed} old ones are removed"));
        }
        Ok(())
    }
}
