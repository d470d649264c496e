//! Takes a proxy out of use, so that its keys go directly, or back into it.

use loco_rs::prelude::*;

use super::{optional, required, say};
use crate::models::{activities::Actor, proxies};

/// `proxy_activate` and `proxy_disable`.
pub struct ProxySwitch {
    pub on: bool,
}

impl ProxySwitch {
    fn name(&self) -> &'static str {
        if self.on { "proxy_activate" } else { "proxy_disable" }
    }

    fn usage(&self) -> String {
        format!("nproxy task {} proxy:ID|LABEL [reason:TEXT]", self.name())
    }
}

#[async_trait]
impl Task for ProxySwitch {
    fn task(&self) -> TaskInfo {
        let does = if self.on { "Use a proxy again" } else { "Let the keys of a proxy go directly" };
        TaskInfo { name: self.name().into(), detail: format!("{does}. {}", self.usage()) }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let proxy = named(ctx, vars, &self.usage()).await?;
        let reason = optional(vars, "reason").unwrap_or("switched on the console");
        let proxy = proxies::switch(ctx, &proxy, self.on, reason, &Actor::Cli).await?;
        say(format_args!("proxy {} ({}) is {}", proxy.id, proxy.label, proxy.state));
        Ok(())
    }
}

/// The proxy that `proxy:` names, by id or by label.
pub(super) async fn named(ctx: &AppContext, vars: &task::Vars, usage: &str) -> Result<proxies::Model> {
    let name = required(vars, "proxy", usage)?;
    let found = proxies::named(&ctx.db, name).await?;
    found.ok_or_else(|| Error::Message(format!("there is no proxy {name:?}; nproxy task proxy_list shows them")))
}
