//! Says whether everything is as it should be; exit code 1 and the command that mends it where something is not.
//! `nproxy doctor` is the same.

use loco_rs::prelude::*;
use serde_json::json;

use super::{is_true, say, wants_json};
use crate::models::doctor::{self, Check, selftest};

const USAGE: &str = "nproxy task doctor [json:true] [selftest:true], or nproxy doctor [--json] [--selftest]";

pub struct Doctor;

#[async_trait]
impl Task for Doctor {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "doctor".into(),
            detail: format!(
                "Examine everything: rules of the data, queue, storage, mail, keys, payments, disk. {USAGE}"
            ),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        if is_true(vars, "selftest") {
            return examine_the_doctor(ctx, vars).await;
        }
        let report = doctor::examine(ctx).await?;
        if wants_json(vars) {
            say(json!(report));
        } else {
            report.checks.iter().for_each(tell);
        }
        match report.failed().count() {
            0 => Ok(()),
            n => Err(Error::Message(format!("{n} of {} checks failed", report.checks.len()))),
        }
    }
}

fn tell(check: &Check) {
    if check.ok {
        return say(format_args!("ok    {}/{}  {}", check.area, check.name, check.says).to_string().trim_end());
    }
    say(format_args!("FAIL  {}/{}", check.area, check.name));
    for finding in &check.findings {
        say(format_args!("      {}: {}", finding.row, finding.says));
    }
    if check.more {
        say("      … and more");
    }
    say(format_args!("      mend: {}", check.mend));
}

async fn examine_the_doctor(ctx: &AppContext, vars: &task::Vars) -> Result<()> {
    let outcome = selftest::run(ctx).await?;
    if wants_json(vars) {
        say(json!(outcome));
    } else {
        outcome.failures.iter().for_each(|failure| say(format_args!("FAIL  {failure}")));
        say(format_args!("{} rules, broken in {} ways", outcome.rules, outcome.breaks));
    }
    match outcome.failures.len() {
        0 => Ok(()),
        n => Err(Error::Message(format!("the doctor is not to be believed: {n} failures"))),
    }
}
