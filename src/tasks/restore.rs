//! Brings a backup back and examines what came of it.

use loco_rs::prelude::*;
use serde_json::json;

use super::{is_true, optional, required, say, wants_json};
use crate::models::backups::{self, Restore as Wish, Restored, Source};

const USAGE: &str = "nproxy task restore file:PATH identity:PATH | snapshot:PATH [confirm:yes] [json:true]";

pub struct Restore;

#[async_trait]
impl Task for Restore {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "restore".into(),
            detail: format!(
                "Bring a backup back, while nothing else runs; over what is there only with confirm:yes. {USAGE}"
            ),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let source = match optional(vars, "snapshot") {
            Some(path) => Source::Snapshot(path.into()),
            None => Source::Backup {
                file: required(vars, "file", USAGE)?.into(),
                identity: required(vars, "identity", USAGE)?.into(),
            },
        };
        let confirmed = optional(vars, "confirm") == Some("yes") || is_true(vars, "confirm");
        let restored = backups::restore(ctx, Wish { source, confirmed }).await?;
        let Restored::Done { files, missing, report } = restored else {
            return Err(Error::Message(format!(
                "there are accounts in this database: confirm:yes replaces all of them\nusage: {USAGE}"
            )));
        };
        if wants_json(vars) {
            say(json!({ "ok": report.ok, "files": files, "missing": missing, "checks": report.checks }));
        } else {
            for check in report.failed() {
                for finding in &check.findings {
                    say(format_args!("{}: {} ({})", finding.row, finding.says, check.name));
                }
            }
            say(format_args!("restored, with {files} files; {} lie elsewhere or were gone then", missing.len()));
        }
        if report.ok {
            Ok(())
        } else {
            Err(Error::string("what was restored breaks rules: see above, and nproxy doctor"))
        }
    }
}
