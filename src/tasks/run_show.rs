//! Shows a run and every call that was made for it: which key, which way, how it ended. Never what was asked for.

use loco_rs::prelude::*;
use serde_json::json;

use super::{required, say, wants_json};
use crate::models::{attempts, provider_keys, runs};

const USAGE: &str = "nproxy task run_show run:ID|PID [json:true]";

pub struct RunShow;

#[async_trait]
impl Task for RunShow {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "run_show".into(), detail: format!("Show a run with its attempts. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let name = required(vars, "run", USAGE)?;
        let run = runs::named(&ctx.db, name).await?;
        let run = run.ok_or_else(|| Error::Message(format!("there is no run {name:?}")))?;
        let attempts = attempts::of_run(&ctx.db, run.id).await?;
        if wants_json(vars) {
            let rows: Vec<_> = attempts
                .iter()
                .map(|it| {
                    json!({
                        "id": it.id, "position": it.position, "key": it.provider_key_id, "via": it.via,
                        "outcome": it.outcome, "http_status": it.http_status, "latency_ms": it.latency_ms,
                        "cost_micros": it.cost_micros, "maybe_billed": it.maybe_billed, "detail": it.detail,
                        "created_at": it.created_at,
                    })
                })
                .collect();
            say(json!({
                "id": run.id, "pid": run.pid, "state": run.state, "failure": run.failure,
                "outputs_requested": run.outputs_requested, "outputs_delivered": run.outputs_delivered,
                "created_at": run.created_at, "finished_at": run.finished_at, "attempts": rows,
            }));
            return Ok(());
        }
        let failure = run.failure.as_deref().map(|it| format!(" ({it})")).unwrap_or_default();
        say(format_args!(
            "run {} ({}) is {}{failure}: {} of {} pictures",
            run.id, run.pid, run.state, run.outputs_delivered, run.outputs_requested
        ));
        for it in attempts {
            let key = provider_keys::by_id(&ctx.db, it.provider_key_id).await?;
            let label = key.map(|key| key.label).unwrap_or_default();
            let status = it.http_status.map(|status| format!(" {status}")).unwrap_or_default();
            let ms = it.latency_ms.map(|ms| format!(" {ms} ms")).unwrap_or_default();
            say(format_args!(
                "  picture {}  {}  key {} ({label}) {}: {}{status}{ms}  {}",
                it.position,
                it.created_at.format("%H:%M:%S%.3f"),
                it.provider_key_id,
                it.via,
                it.outcome,
                it.detail.unwrap_or_default()
            ));
        }
        Ok(())
    }
}
