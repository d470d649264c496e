//! Proves that pictures have their bytes; exit code 1 and the keys by name when some have not.

use loco_rs::prelude::*;
use serde_json::json;

use super::{optional, say, wants_json};
use crate::models::storage_objects::check::{self, Look};

const USAGE: &str = "nproxy task object_check [all:true] [deep:true] [json:true]";

pub struct ObjectCheck;

#[async_trait]
impl Task for ObjectCheck {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "object_check".into(),
            detail: format!(
                "Look whether pictures have their bytes: some of them, or all:true; deep:true reads them. {USAGE}"
            ),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let look = Look { all: is_on(vars, "all")?, deep: is_on(vars, "deep")? };
        let report = check::run(ctx, look).await?;
        if wants_json(vars) {
            say(json!({ "ok": report.findings.is_empty(), "pictures": report.pictures, "findings": report.findings }));
        } else {
            for finding in &report.findings {
                say(format_args!("{}: {}", finding.key, finding.says));
            }
        }
        match report.findings.len() {
            0 if wants_json(vars) => Ok(()),
            0 => {
                say(format_args!("{} pictures looked at, all there", report.pictures));
                Ok(())
            }
            n => Err(Error::Message(format!("the store is not as it should be: {n} findings"))),
        }
    }
}

fn is_on(vars: &task::Vars, key: &str) -> Result<bool> {
    match optional(vars, key) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Error::Message(format!("{key}: takes true or false\nusage: {USAGE}"))),
    }
}
