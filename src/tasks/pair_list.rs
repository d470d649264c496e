//! Shows whom the bot obeys, and whose codes are open.

use loco_rs::prelude::*;
use serde_json::json;

use super::{say, wants_json};
use crate::models::{telegram_admins, telegram_pairings};

pub struct PairList;

#[async_trait]
impl Task for PairList {
    fn task(&self) -> TaskInfo {
        let detail = "Show the admins of the bot, and who waits to be one. nproxy task pair_list [json:true]";
        TaskInfo { name: "pair_list".into(), detail: detail.into() }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let admins = telegram_admins::list(&ctx.db).await?;
        let waiting = telegram_pairings::open(&ctx.db).await?;
        if wants_json(vars) {
            let admins: Vec<_> = admins
                .iter()
                .map(|it| {
                    json!({
                        "telegram_id": it.telegram_id, "name": it.name, "username": it.username,
                        "paired_at": it.paired_at,
                    })
                })
                .collect();
            let waiting: Vec<_> = waiting
                .iter()
                .map(|it| {
                    json!({
                        "telegram_id": it.telegram_id, "name": it.name, "username": it.username,
                        "expires_at": it.expires_at,
                    })
                })
                .collect();
            say(json!({ "admins": admins, "waiting": waiting }));
            return Ok(());
        }
        if admins.is_empty() {
            say("nobody is paired; write to the bot, then: nproxy pair CODE");
        }
        for admin in admins {
            let since = admin.paired_at.format("%Y-%m-%d %H:%M UTC");
            say(format_args!("{:<14} {:<34} paired {since}", admin.telegram_id, admin.who()));
        }
        for pairing in waiting {
            let until = pairing.expires_at.format("%H:%M UTC");
            say(format_args!("{:<14} {:<34} has a code until {until}", pairing.telegram_id, pairing.who()));
        }
        Ok(())
    }
}
