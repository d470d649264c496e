//! Gives a key another secret. It comes through the environment or a file, and is never shown.

use loco_rs::prelude::*;

use super::{keys, required, say, secret, wants_json};
use crate::models::{activities::Actor, provider_keys::editing};

const USAGE: &str =
    "nproxy task key_rotate key:ID|LABEL secret_env:VARIABLE | secret_file:PATH reason:WORDS [json:true]";

pub struct KeyRotate;

#[async_trait]
impl Task for KeyRotate {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "key_rotate".into(), detail: format!("Replace the secret of a key. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let key = keys::named(ctx, vars, USAGE).await?;
        let reason = required(vars, "reason", USAGE)?;
        let secret = secret::given(vars, "secret", USAGE)?;
        let key = editing::rotate(ctx, key.id, &secret, reason, &Actor::Cli).await?;
        if wants_json(vars) {
            say(keys::shown(&key));
        } else {
            say(format_args!(
                "key {} ({}) has the secret {} now and is {}",
                key.id, key.label, key.secret_hint, key.state
            ));
        }
        Ok(())
    }
}
