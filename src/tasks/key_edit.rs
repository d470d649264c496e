//! Changes a key's name, its way out, or how much it carries.

use loco_rs::prelude::*;

use super::{keys, number, optional, say, wants_json};
use crate::models::{
    activities::Actor,
    provider_keys::editing::{self, Edit, Edited},
    proxies,
};

const USAGE: &str =
    "nproxy task key_edit key:ID|LABEL [label:NAME] [proxy:ID|LABEL|none] [concurrency:NUMBER] [json:true]";

pub struct KeyEdit;

#[async_trait]
impl Task for KeyEdit {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "key_edit".into(), detail: format!("Change a key's label, proxy or concurrency. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let key = keys::named(ctx, vars, USAGE).await?;
        if ["label", "proxy", "concurrency"].iter().all(|name| optional(vars, name).is_none()) {
            return Err(Error::Message(format!("say what to change\nusage: {USAGE}")));
        }
        let proxy_id = match optional(vars, "proxy") {
            None => key.proxy_id,
            Some("none") => None,
            Some(name) => {
                let proxy = proxies::named(&ctx.db, name).await?;
                Some(proxy.ok_or_else(|| Error::Message(format!("there is no proxy {name:?}")))?.id)
            }
        };
        let max_concurrency = match optional(vars, "concurrency") {
            None => key.max_concurrency,
            Some(_) => number(vars, "concurrency", USAGE)?,
        };
        if max_concurrency < 1 {
            return Err(Error::Message(format!("concurrency: takes a number above zero\nusage: {USAGE}")));
        }
        let label = optional(vars, "label").unwrap_or(&key.label).to_owned();
        let wanted = label.clone();
        let key = match editing::edit(ctx, key.id, Edit { label, proxy_id, max_concurrency }, &Actor::Cli).await? {
            Edited::Edited(key) => key,
            Edited::Unchanged => key,
            Edited::LabelTaken => return Err(Error::Message(format!("there is a key labelled {wanted:?} already"))),
        };
        if wants_json(vars) {
            say(keys::shown(&key));
        } else {
            let (id, label, calls) = (key.id, &key.label, key.max_concurrency);
            say(format_args!("key {id} ({label}) carries {calls} calls at once"));
        }
        Ok(())
    }
}
