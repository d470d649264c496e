//! Proves the audit log; exit code 1 and the rows by number when it was tampered with.

use loco_rs::prelude::*;
use serde_json::json;

use super::{optional, say, wants_json};
use crate::models::activities::check;

const USAGE: &str = "nproxy task audit_check [head:HASH] [json:true]";

pub struct AuditCheck;

#[async_trait]
impl Task for AuditCheck {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "audit_check".into(),
            detail: format!("Check the chain of the audit log; head: takes one that you kept earlier. {USAGE}"),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let proof = check::run(&ctx.db, optional(vars, "head")).await?;
        // Outside the database, so that who rewrites it cannot rewrite this.
        tracing::info!(length = proof.length, head = proof.head, "the audit log ends here");
        if wants_json(vars) {
            let (length, head, findings) = (proof.length, &proof.head, &proof.findings);
            say(json!({ "ok": findings.is_empty(), "length": length, "head": head, "findings": findings }));
        } else {
            for finding in &proof.findings {
                match finding.id {
                    0 => say(&finding.says),
                    id => say(format_args!("activity {id} {}", finding.says)),
                }
            }
        }
        match proof.findings.len() {
            0 if wants_json(vars) => Ok(()),
            0 => {
                say(format_args!("the audit log holds: {} rows, head {}", proof.length, proof.head));
                Ok(())
            }
            n => Err(Error::Message(format!("the audit log was tampered with: {n} findings"))),
        }
    }
}
