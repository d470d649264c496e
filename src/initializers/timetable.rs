//! The `scheduler:` section of the configuration, driven through jobs: one enqueue per entry and tick across all hosts,
//! no two at once, no process started per tick. `nproxy scheduler --list` shows it.

use async_trait::async_trait;
use durable_jobs::Recurring;
use loco_rs::{
    Result,
    app::{AppContext, Initializer},
    bgworker::BackgroundWorker,
    boot::StartMode,
    config::Config,
};
use serde_json::json;

use crate::{
    context::Nproxy,
    workers::run_task::{Entry, RunTask},
};

pub struct Timetable;

#[async_trait]
impl Initializer for Timetable {
    fn name(&self) -> String {
        "timetable".into()
    }

    async fn before_run(&self, ctx: &AppContext) -> Result<()> {
        let parts = ctx.parts();
        let entries =
            parts.config().scheduler.iter().flat_map(|scheduler| &scheduler.jobs).map(|(name, entry)| Recurring {
                name: name.clone(),
                schedule: entry.cron.clone(),
                class: RunTask::class_name(),
                args: json!(Entry::parse(&entry.run)),
            });
        parts.jobs().timetable(entries.collect());
        Ok(())
    }
}

/// Leaves out the entries of what is switched off, so that nobody waits for them.
pub fn leave_out_what_is_off(config: &mut Config) {
    let dir = config.settings.as_ref().and_then(|settings| settings["backup"]["dir"].as_str());
    if dir.is_none_or(str::is_empty)
        && let Some(scheduler) = &mut config.scheduler
    {
        scheduler.jobs.remove("backup");
    }
}

/// Loco's own scheduler starts a process per tick on every host; our runners keep the timetable instead, so the modes
/// that would start it become the same mode without it.
#[must_use]
pub fn driven_by_jobs(mode: StartMode) -> StartMode {
    match mode {
        StartMode::All => StartMode::ServerAndWorker,
        StartMode::WorkerAndScheduler { tags } => StartMode::WorkerOnly { tags },
        StartMode::ServerAndScheduler => StartMode::ServerOnly,
        other @ (StartMode::ServerOnly | StartMode::ServerAndWorker | StartMode::WorkerOnly { .. }) => other,
    }
}
