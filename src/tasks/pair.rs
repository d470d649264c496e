//! Pairs an admin of the bot: shows who waits behind a code, and asks.

use std::io::{self, BufRead, Write};

use loco_rs::prelude::*;
use serde_json::json;

use super::{is_true, optional, required, say, wants_json};
use crate::models::{
    activities::Actor,
    telegram_pairings::{self, Code, Look, Redeemed},
};

const USAGE: &str = "nproxy task pair code:CODE [yes:true] [json:true]";

pub struct Pair;

#[async_trait]
impl Task for Pair {
    fn task(&self) -> TaskInfo {
        let detail = format!("Let the person obey the bot who got this code from it; asks first. {USAGE}");
        TaskInfo { name: "pair".into(), detail }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let code = Code::typed(required(vars, "code", USAGE)?);
        let is_sure = is_true(vars, "yes") || optional(vars, "yes") == Some("yes");
        if !is_sure {
            let waiting = match telegram_pairings::look(ctx, &code).await? {
                Look::Open(pairing) => pairing,
                Look::Wrong(wrong) => return Err(Error::Message(wrong.to_string())),
            };
            if !asked(&format!("Add {}? They could do all that an admin can. [y/N] ", waiting.who()))? {
                return Err(Error::string("nobody was added"));
            }
        }
        match telegram_pairings::redeem(ctx, &code, &Actor::Cli).await? {
            Redeemed::Paired(admin) if wants_json(vars) => {
                say(json!({ "telegram_id": admin.telegram_id, "name": admin.name, "username": admin.username }));
            }
            Redeemed::Paired(admin) => say(format_args!("{} is paired", admin.who())),
            Redeemed::Wrong(wrong) => return Err(Error::Message(wrong.to_string())),
        }
        Ok(())
    }
}

/// Whether somebody at the keyboard says yes; nobody there is a no.
#[expect(clippy::print_stdout, reason = "a question on the console")]
fn asked(question: &str) -> Result<bool> {
    print!("{question}");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    println!();
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
