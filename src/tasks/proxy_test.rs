//! Calls the vendor through a proxy, with a key that is none: that it is refused shows that the way is open.

use loco_rs::prelude::*;
use serde_json::json;

use super::{proxy_switch::named, say, wants_json};
use crate::models::{activities::Actor, proxies};

const USAGE: &str = "nproxy task proxy_test proxy:ID|LABEL [json:true]";

pub struct ProxyTest;

#[async_trait]
impl Task for ProxyTest {
    fn task(&self) -> TaskInfo {
        let detail = format!("Call the vendor through a proxy; exit code 1 if it is not reached. {USAGE}");
        TaskInfo { name: "proxy_test".into(), detail }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let proxy = named(ctx, vars, USAGE).await?;
        let failure = proxies::check_by_hand(ctx, &proxy, &Actor::Cli).await?;
        if wants_json(vars) {
            let says = failure.as_ref().map(ToString::to_string);
            say(json!({ "id": proxy.id, "label": proxy.label, "ok": failure.is_none(), "says": says }));
        } else if failure.is_none() {
            say(format_args!("proxy {} ({}): the vendor is reached through it", proxy.id, proxy.label));
        }
        match failure {
            None => Ok(()),
            Some(failure) => Err(Error::Message(format!("proxy {} ({}): {failure}", proxy.id, proxy.label))),
        }
    }
}
