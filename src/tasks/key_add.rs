//! Adds a key to the pool. The secret comes through the environment or a file, never through the command line, which
//! other people on the machine can read.

use loco_rs::prelude::*;
use secrecy::SecretString;

use super::{optional, required, say};
use crate::models::{
    activities::Actor,
    provider_keys::{self, Addition, MAX_CONCURRENCY, NewKey},
};

const USAGE: &str = "nproxy task key_add provider:gemini label:NAME secret_env:VARIABLE | secret_file:PATH \
                     [proxy_env:VARIABLE] [concurrency:4]";

pub struct KeyAdd;

#[async_trait]
impl Task for KeyAdd {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "key_add".into(), detail: format!("Add a provider key. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let secret = match (optional(vars, "secret_env"), optional(vars, "secret_file")) {
            (Some(name), None) => from_env(name)?,
            (None, Some(path)) => from_file(path)?,
            _ => return Err(Error::Message(format!("give secret_env: or secret_file:\nusage: {USAGE}"))),
        };
        let proxy = optional(vars, "proxy_env").map(from_env).transpose()?;
        let concurrency = match optional(vars, "concurrency") {
            Some(text) => text.parse::<i64>().ok().filter(|n| *n > 0),
            None => Some(MAX_CONCURRENCY),
        };
        let new = NewKey {
            provider: required(vars, "provider", USAGE)?.to_owned(),
            label: required(vars, "label", USAGE)?.to_owned(),
            secret,
            proxy,
            max_concurrency: concurrency
                .ok_or_else(|| Error::Message(format!("concurrency: takes a number above zero\nusage: {USAGE}")))?,
        };
        let label = new.label.clone();
        match provider_keys::add(ctx, new, &Actor::Cli).await? {
            Addition::Added(key) => {
                say(format_args!("key {} ({} {}, {}) added", key.id, key.provider, label, key.secret_hint))
            }
            Addition::LabelTaken => return Err(Error::Message(format!("there is a key labelled {label:?} already"))),
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the operator names the variable that holds the secret")]
fn from_env(name: &str) -> Result<SecretString> {
    match std::env::var(name) {
        Ok(value) if !value.trim().is_empty() => Ok(value.trim().to_owned().into()),
        _ => Err(Error::Message(format!("the environment variable {name} is not set"))),
    }
}

fn from_file(path: &str) -> Result<SecretString> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::Message(format!("{path}: {e}")))?;
    let secret = text.trim();
    if secret.is_empty() {
        return Err(Error::Message(format!("{path} is empty")));
    }
    Ok(secret.to_owned().into())
}
