//! Lets an admin of the bot go, at once; a code that the chat has open is void too.

use loco_rs::prelude::*;
use serde_json::json;

use super::{number, say, wants_json};
use crate::models::{activities::Actor, telegram_admins, telegram_pairings};

const USAGE: &str = "nproxy task pair_revoke id:TELEGRAM_ID [json:true]";

pub struct PairRevoke;

#[async_trait]
impl Task for PairRevoke {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "pair_revoke".into(), detail: format!("The bot obeys somebody no longer. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let id = number(vars, "id", USAGE)?;
        let withdrawn = telegram_pairings::withdraw(&ctx.db, id).await?;
        let revoked = telegram_admins::revoke(ctx, id, &Actor::Cli).await?;
        if wants_json(vars) {
            say(json!({ "telegram_id": id, "revoked": revoked.is_some(), "code_withdrawn": withdrawn }));
        }
        match revoked {
            Some(admin) if !wants_json(vars) => say(format_args!("{} is obeyed no longer", admin.who())),
            Some(_) => {}
            None if withdrawn && !wants_json(vars) => say(format_args!("the code of {id} is void")),
            None if withdrawn => {}
            None => return Err(Error::Message(format!("nobody of id {id} is paired; nproxy pair list shows who is"))),
        }
        Ok(())
    }
}
