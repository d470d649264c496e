//! Scheduled: reads what the accounts behind the keys hold; what cannot pay for a picture is taken out of service.

use loco_rs::prelude::*;
use serde_json::json;

use super::{keys, optional, say, wants_json};
use crate::models::provider_keys::balance::{self, Outcome, Reading};

const USAGE: &str = "nproxy task provider_balance_refresh [key:ID|LABEL] [json:true]";

pub struct ProviderBalanceRefresh;

#[async_trait]
impl Task for ProviderBalanceRefresh {
    fn task(&self) -> TaskInfo {
        let detail = format!("Read the balances of the provider keys (scheduled). {USAGE}");
        TaskInfo { name: "provider_balance_refresh".into(), detail }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let only = match optional(vars, "key") {
            Some(_) => Some(keys::named(ctx, vars, USAGE).await?.id),
            None => None,
        };
        let readings = balance::refresh(ctx, only).await?;
        if wants_json(vars) {
            say(json!(readings.iter().map(shown).collect::<Vec<_>>()));
            return Ok(());
        }
        for Reading { key, outcome } in &readings {
            match outcome {
                Outcome::Known { micros, out } => {
                    let out = if *out { ", out of funds" } else { "" };
                    say(format_args!("key {} ({}): {}{out}", key.id, key.label, balance::dollars(*micros)));
                }
                Outcome::NotRead(class) => say(format_args!("key {} ({}): not read ({class})", key.id, key.label)),
                Outcome::Unknown => {}
            }
        }
        Ok(())
    }
}

fn shown(Reading { key, outcome }: &Reading) -> serde_json::Value {
    let (micros, out, failure) = match outcome {
        Outcome::Known { micros, out } => (Some(*micros), *out, None),
        Outcome::Unknown => (None, false, None),
        Outcome::NotRead(class) => (None, false, Some(*class)),
    };
    json!({ "id": key.id, "label": key.label, "balance_micros": micros, "out_of_funds": out, "failure": failure })
}
