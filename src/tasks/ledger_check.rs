//! Proves the ledger; exit code 1 and the rows by name when it is broken.

use loco_rs::prelude::*;
use serde_json::json;

use super::{say, wants_json};
use crate::models::ledger_entries::check;

pub struct LedgerCheck;

#[async_trait]
impl Task for LedgerCheck {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "ledger_check".into(),
            detail: "Check every rule of the ledger. nproxy task ledger_check [json:true]".into(),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let findings = check::run(&ctx.db).await?;
        if wants_json(vars) {
            say(json!({ "ok": findings.is_empty(), "rules": check::rules(), "findings": findings }));
        } else {
            for finding in &findings {
                say(format_args!("{}: {} ({})", finding.row, finding.says, finding.rule));
            }
        }
        match findings.len() {
            0 if wants_json(vars) => Ok(()),
            0 => {
                say(format_args!("the ledger holds: {} rules, no findings", check::rules().len()));
                Ok(())
            }
            n => Err(Error::Message(format!("the ledger is broken: {n} findings"))),
        }
    }
}
