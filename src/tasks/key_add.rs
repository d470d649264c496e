//! Adds a key to the pool.

use loco_rs::prelude::*;

use super::{optional, required, say, secret};
use crate::models::{
    activities::Actor,
    provider_keys::{self, Addition, MAX_CONCURRENCY, NewKey, NewProxy},
};

const USAGE: &str = "nproxy task key_add provider:gemini label:NAME secret_env:VARIABLE | secret_file:PATH \
                     [proxy:LABEL | proxy_env:VARIABLE] [concurrency:4]";

pub struct KeyAdd;

#[async_trait]
impl Task for KeyAdd {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "key_add".into(), detail: format!("Add a provider key. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let secret = secret::given(vars, "secret", USAGE)?;
        let proxy = match (optional(vars, "proxy"), optional(vars, "proxy_env")) {
            (Some(label), None) => Some(NewProxy::Known(label.to_owned())),
            (None, Some(variable)) => Some(NewProxy::Url(secret::from_env(variable)?)),
            (None, None) => None,
            (Some(_), Some(_)) => {
                return Err(Error::Message(format!("give proxy: or proxy_env:, not both\nusage: {USAGE}")));
            }
        };
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
