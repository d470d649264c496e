//! Asks the vendor whether it takes a key. Makes no picture and changes nothing about the key.

use loco_rs::prelude::*;
use serde_json::json;

use super::{keys, say, wants_json};
use crate::models::{activities::Actor, provider_keys::check};

const USAGE: &str = "nproxy task key_test key:ID|LABEL [json:true]";

pub struct KeyTest;

#[async_trait]
impl Task for KeyTest {
    fn task(&self) -> TaskInfo {
        let detail = format!("Ask the vendor whether it takes a key; exit code 1 if not. {USAGE}");
        TaskInfo { name: "key_test".into(), detail }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let key = keys::named(ctx, vars, USAGE).await?;
        let checked = check::check_by_hand(ctx, key.id, &Actor::Cli).await?;
        let words = checked.in_words();
        if wants_json(vars) {
            let failure = checked.answer.as_ref().err();
            say(json!({
                "id": key.id, "label": key.label, "state": key.state, "ok": failure.is_none(), "via": crate::models::text(checked.via),
                "class": failure.map(|it| it.class()), "proxy_fault": checked.proxy_fault.map(|it| it.to_string()),
                "says": words,
            }));
        }
        match checked.answer {
            Ok(()) if wants_json(vars) => Ok(()),
            Ok(()) => {
                say(format_args!("key {} ({}): {words}", key.id, key.label));
                Ok(())
            }
            Err(_) => Err(Error::Message(format!("key {} ({}): {words}", key.id, key.label))),
        }
    }
}
