//! Scheduled: what nobody can reach any more leaves the store.

use loco_rs::prelude::*;
use serde_json::json;

use super::{optional, say, wants_json};
use crate::models::storage_objects::sweep;

const USAGE: &str = "nproxy task object_sweep [strays:true] [json:true]";

pub struct ObjectSweep;

#[async_trait]
impl Task for ObjectSweep {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "object_sweep".into(),
            detail: format!(
                "Remove stored bytes that nobody can reach (scheduled); strays:true also those that no row knows. {USAGE}"
            ),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let strays = match optional(vars, "strays") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Error::Message(format!("strays: takes true or false\nusage: {USAGE}"))),
        };
        let swept = sweep::sweep(ctx, strays).await?;
        if wants_json(vars) {
            say(json!(swept));
        } else if swept != sweep::Swept::default() {
            say(format_args!(
                "{} objects removed, {} forgotten, {} abandoned, {} unused uploads, {} old exports, {} strays",
                swept.removed, swept.forgotten, swept.abandoned, swept.unused_uploads, swept.old_exports, swept.strays
            ));
        }
        match swept.failed {
            0 => Ok(()),
            n => Err(Error::Message(format!("{n} objects could not be removed; the next sweep tries again"))),
        }
    }
}
