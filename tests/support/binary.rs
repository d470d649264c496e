//! The real binary, as an operator starts it.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

/// `nproxy` on this database, with its files in `folder` and no sandbox of its own. Killed with the test.
pub fn nproxy(database: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nproxy"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("LOCO_ENV", "test")
        .env("DATABASE_URL", database)
        .env("STORAGE_DIR", folder.join("files"))
        .env("SANDBOX", "off")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Finished {
    pub async fn of(command: &mut Command) -> Self {
        let output = command.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Everything that was said, on whichever channel.
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}
