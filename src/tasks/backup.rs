//! Takes a backup of everything, as every night; or a copy of the database alone.

use std::path::Path;

use loco_rs::prelude::*;
use serde_json::json;

use super::{optional, say, wants_json};
use crate::models::backups;

const USAGE: &str = "nproxy task backup [snapshot:PATH] [json:true]";

pub struct Backup;

#[async_trait]
impl Task for Backup {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "backup".into(),
            detail: format!(
                "Take a sealed backup into BACKUP_DIR and let old ones go (scheduled); snapshot:PATH copies the database \
                 alone, unsealed. {USAGE}"
            ),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        if let Some(path) = optional(vars, "snapshot") {
            backups::take_snapshot(ctx, Path::new(path)).await?;
            say(format_args!("the database as it is now lies in {path}"));
            return Ok(());
        }
        let taken = backups::take(ctx).await?;
        if wants_json(vars) {
            say(json!({ "backup": taken.backup, "objects": taken.objects, "removed": taken.removed }));
        } else {
            let (path, bytes) = (taken.backup.path.display(), taken.backup.bytes);
            say(format_args!(
                "{path}: {bytes} bytes, {} files; {} old ones removed",
                taken.objects,
                taken.removed.len()
            ));
        }
        Ok(())
    }
}
