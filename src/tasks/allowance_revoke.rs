//! Takes an allowance back, in two steps: first what it would do, then, confirmed, the deed.

use loco_rs::prelude::*;
use serde_json::json;

use super::{number, optional, required, say, wants_json};
use crate::models::{
    activities::Actor,
    allowances::{self, Revocation},
};

const USAGE: &str = "nproxy task allowance_revoke allowance:ID reason:WORDS [confirm:yes] [json:true]";

pub struct AllowanceRevoke;

#[async_trait]
impl Task for AllowanceRevoke {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "allowance_revoke".into(),
            detail: format!("Take back an allowance whose payment was; what was used becomes a debt. {USAGE}"),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let id = number(vars, "allowance", USAGE)?;
        let reason = required(vars, "reason", USAGE)?;
        let confirmed = optional(vars, "confirm") == Some("yes");
        let (words, standing) = if confirmed {
            match allowances::revoke_by_hand(ctx, id, reason, &Actor::Cli).await? {
                Revocation::Revoked(standing) => ("taken back", standing),
                Revocation::AlreadyRevoked => return already(id),
                Revocation::Unknown => return unknown(id),
            }
        } else {
            let Some(allowance) = allowances::by_id(&ctx.db, id).await? else { return unknown(id) };
            if allowance.revoked_at.is_some() {
                return already(id);
            }
            ("nothing was done yet; with confirm:yes", allowance.standing(&ctx.db).await?)
        };
        let (free, held, used) = (standing.free, standing.held, standing.used);
        if wants_json(vars) {
            say(json!({ "allowance": id, "revoked": confirmed, "free": free, "held": held, "used": used }));
        } else {
            say(format_args!(
                "allowance {id}: {words}: {free} free are gone, {held} go when their runs give them back, {used} used are owed"
            ));
        }
        Ok(())
    }
}

fn already(id: i64) -> Result<()> {
    Err(Error::Message(format!("allowance {id} was taken back before")))
}

fn unknown(id: i64) -> Result<()> {
    Err(Error::Message(format!("allowance {id}: there is none")))
}
