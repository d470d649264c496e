//! Adds a proxy that keys can be given. Its address holds a password, so it comes through the environment or a file.

use loco_rs::prelude::*;

use super::{required, say, secret};
use crate::models::{
    activities::Actor,
    proxies::{self, Addition},
};

const USAGE: &str = "nproxy task proxy_add label:NAME url_env:VARIABLE | url_file:PATH";

pub struct ProxyAdd;

#[async_trait]
impl Task for ProxyAdd {
    fn task(&self) -> TaskInfo {
        let detail = format!("Add a proxy, http://user:password@host:port or socks5://…. {USAGE}");
        TaskInfo { name: "proxy_add".into(), detail }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let label = required(vars, "label", USAGE)?;
        let url = secret::given(vars, "url", USAGE)?;
        match proxies::add(ctx, label, &url, &Actor::Cli).await? {
            Addition::Added(proxy) => say(format_args!("proxy {} ({label}) added", proxy.id)),
            Addition::LabelTaken => return Err(Error::Message(format!("there is a proxy labelled {label:?} already"))),
        }
        Ok(())
    }
}
