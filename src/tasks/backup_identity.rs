//! Makes the pair that backups are sealed with.

use std::{io::Write, os::unix::fs::OpenOptionsExt};

use loco_rs::prelude::*;
use secrecy::ExposeSecret;

use super::{required, say};
use crate::models::backups;

const USAGE: &str = "nproxy task backup_identity file:PATH";

pub struct BackupIdentity;

#[async_trait]
impl Task for BackupIdentity {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "backup_identity".into(),
            detail: format!("Make a key for backups: the secret half into a new file, the other half is told. {USAGE}"),
        }
    }

    async fn run(&self, _ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let path = required(vars, "file", USAGE)?;
        let (identity, recipient) = backups::new_identity();
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.map_err(|error| Error::Message(format!("{path}: {error}")))?;
        file.write_all(identity.expose_secret().as_bytes())?;
        file.sync_all()?;
        say(format_args!("BACKUP_RECIPIENT={recipient}"));
        say(format_args!("{path} opens every backup: keep it off this server, in two places"));
        Ok(())
    }
}
