//! Shows who changed what, the newest first.

use loco_rs::prelude::*;
use serde_json::json;

use super::{number, optional, say, wants_json};
use crate::models::activities;

const USAGE: &str =
    "nproxy task activity_list [actor:bot|bot:42|cli|user:7] [about:provider_key:3] [before:ID] [json:true]";

pub struct ActivityList;

#[async_trait]
impl Task for ActivityList {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "activity_list".into(), detail: format!("Show the audit log, the newest first. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let before = match optional(vars, "before") {
            Some(_) => Some(number(vars, "before", USAGE)?),
            None => None,
        };
        let about = match optional(vars, "about").map(|about| about.split_once(':')) {
            Some(Some((kind, id))) => Some((kind, id)),
            Some(None) => return Err(Error::Message(format!("about: takes KIND:ID\nusage: {USAGE}"))),
            None => None,
        };
        let rows = activities::newest(&ctx.db, optional(vars, "actor"), about, before).await?;
        if wants_json(vars) {
            let rows: Vec<_> = rows
                .iter()
                .map(|row| {
                    json!({
                        "id": row.id, "actor": row.actor(), "activity": row.activity_type,
                        "about": format!("{}:{}", row.resource_type, row.resource_id), "detail": row.detail,
                        "at": row.created_at,
                    })
                })
                .collect();
            say(json!(rows));
            return Ok(());
        }
        for row in rows {
            say(format_args!(
                "{:>6}  {}  {:<16} {:<28} {}:{}  {}",
                row.id,
                row.created_at.format("%Y-%m-%d %H:%M:%S"),
                row.actor(),
                row.activity_type,
                row.resource_type,
                row.resource_id,
                row.detail
            ));
        }
        Ok(())
    }
}
