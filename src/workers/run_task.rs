//! An entry of the timetable: runs a task by its name, as a person could by hand.

use std::{collections::BTreeMap, fmt};

use loco_rs::{
    prelude::*,
    task::{Tasks, Vars},
};
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::tasks;

pub struct RunTask {
    ctx: AppContext,
}

/// A task and its `key:value` arguments, as the `scheduler:` section writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub task: String,
    pub vars: BTreeMap<String, String>,
}

impl Entry {
    /// A task by its name, with its arguments.
    #[must_use]
    pub fn new(task: &str, vars: &[(&str, String)]) -> Self {
        Self { task: task.to_owned(), vars: vars.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect() }
    }

    /// `"key_cooldown_recovery limit:10"`
    #[must_use]
    pub fn parse(run: &str) -> Self {
        let mut words = run.split_whitespace();
        let task = words.next().unwrap_or_default().to_owned();
        let vars = words.filter_map(|word| word.split_once(':')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Self { task, vars }
    }

    /// What a job of this class and these arguments runs; `None` of a job that is no task.
    #[must_use]
    pub fn of_job(class: &str, args: &str) -> Option<Self> {
        (class == RunTask::class_name()).then(|| serde_json::from_str(args).ok()).flatten()
    }
}

/// As [`Entry::parse`] reads it.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.task)?;
        self.vars.iter().try_for_each(|(key, value)| write!(f, " {key}:{value}"))
    }
}

#[async_trait]
impl BackgroundWorker<Entry> for RunTask {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Entry { task, vars }: Entry) -> Result<()> {
        let mut all = Tasks::default();
        tasks::register(&mut all);
        all.run(&self.ctx, &task, &Vars::from_cli_args(vars.into_iter().collect())).await
    }
}

impl Durable<Entry> for RunTask {
    const ATTEMPTS: i32 = 1;

    fn unique_key(entry: &Entry) -> Option<String> {
        Some(format!("task:{entry}"))
    }
}
