//! Shows the proxies; their addresses stay sealed.

use loco_rs::prelude::*;
use serde_json::json;

use super::{say, wants_json};
use crate::models::proxies;

pub struct ProxyList;

#[async_trait]
impl Task for ProxyList {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "proxy_list".into(), detail: "Show the proxies. nproxy task proxy_list [json:true]".into() }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let proxies = proxies::list(&ctx.db).await?;
        if wants_json(vars) {
            let rows: Vec<_> = proxies
                .iter()
                .map(|proxy| {
                    json!({
                        "id": proxy.id, "label": proxy.label, "state": proxy.state, "rest_until": proxy.rest_until,
                        "consecutive_failures": proxy.consecutive_failures, "last_error": proxy.last_error,
                    })
                })
                .collect();
            say(json!(rows));
            return Ok(());
        }
        for proxy in proxies {
            let rest = proxy.rest_until.map(|at| format!(", rests until {}", at.format("%H:%M:%S UTC")));
            let faults =
                (proxy.consecutive_failures > 0).then(|| format!(", {} faults in a row", proxy.consecutive_failures));
            let (faults, rest) = (faults.unwrap_or_default(), rest.unwrap_or_default());
            say(format_args!("{:>4}  {:<30} {}{faults}{rest}", proxy.id, proxy.label, proxy.state));
        }
        Ok(())
    }
}
