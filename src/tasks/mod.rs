//! Operator tasks: `nproxy task NAME key:value …`. Doors: parse, one verb, say what came of it.

pub mod grant;
pub mod key_add;
pub mod key_cooldown_recovery;
pub mod key_list;
pub mod ledger_check;
pub mod object_check;
pub mod object_sweep;
pub mod stuck_run_recovery;
pub mod user_activate;

use loco_rs::{
    Error, Result,
    task::{Tasks, Vars},
};

/// Every task there is.
pub fn register(tasks: &mut Tasks) {
    tasks.register(grant::Grant);
    tasks.register(key_add::KeyAdd);
    tasks.register(key_cooldown_recovery::KeyCooldownRecovery);
    tasks.register(key_list::KeyList);
    tasks.register(ledger_check::LedgerCheck);
    tasks.register(object_check::ObjectCheck);
    tasks.register(object_sweep::ObjectSweep);
    tasks.register(stuck_run_recovery::StuckRunRecovery);
    tasks.register(user_activate::UserActivate);
}

/// The value of `key:`, or the usage of the task.
fn required<'a>(vars: &'a Vars, key: &str, usage: &str) -> Result<&'a str> {
    optional(vars, key).ok_or_else(|| Error::Message(format!("{key}: is missing\nusage: {usage}")))
}

fn optional<'a>(vars: &'a Vars, key: &str) -> Option<&'a str> {
    vars.cli_arg(key).ok().filter(|value| !value.is_empty())
}

/// `json:true` asks for output that a script reads.
fn wants_json(vars: &Vars) -> bool {
    optional(vars, "json") == Some("true")
}

#[expect(clippy::print_stdout, reason = "a task answers on the console")]
fn say(text: impl std::fmt::Display) {
    println!("{text}");
}
