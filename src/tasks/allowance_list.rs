//! Shows to the unit what a person has, how it came to that, and what they owe.

use loco_rs::prelude::*;
use serde_json::json;

use super::{required, say, wants_json};
use crate::models::{allowances, clock, debts, ledger_entries, users};

const USAGE: &str = "nproxy task allowance_list email:ADDRESS [json:true]";

pub struct AllowanceList;

#[async_trait]
impl Task for AllowanceList {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "allowance_list".into(),
            detail: format!("Show what a person has, entry by entry, and owes. {USAGE}"),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let email = required(vars, "email", USAGE)?;
        let user = users::by_email(&ctx.db, &users::normalized(email)).await?;
        let user = user.ok_or_else(|| Error::Message(format!("there is no account {email}")))?;
        let now = clock::now(&ctx.db).await?;
        let debts = debts::all_of(&ctx.db, user.id).await?;
        let mut rows = Vec::new();
        for allowance in allowances::all_of(&ctx.db, user.id).await? {
            let entries = ledger_entries::of_allowance(&ctx.db, allowance.id).await?;
            if wants_json(vars) {
                rows.push(in_json(&allowance, &entries));
            } else {
                in_words(&allowance, allowance.closed(now), &entries);
            }
        }
        if wants_json(vars) {
            say(json!({ "user": user.id, "allowances": rows, "debts": debts.iter().map(debt).collect::<Vec<_>>() }));
            return Ok(());
        }
        for debt in debts {
            let left = if debt.cleared_at.is_some() { "cleared".into() } else { format!("{} open", debt.outstanding) };
            say(format_args!(
                "debt {}: {} {} for allowance {}, {left} ({})",
                debt.id, debt.amount, debt.unit, debt.allowance_id, debt.reason
            ));
        }
        Ok(())
    }
}

fn in_words(it: &allowances::Model, closed: Option<allowances::Closed>, entries: &[ledger_entries::Model]) {
    let end = it.expires_at.map(|at| format!(" until {}", at.format("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
    let closed = match closed {
        None => "",
        Some(allowances::Closed::Ended) => ", over",
        Some(allowances::Closed::Revoked) => ", taken back",
    };
    say(format_args!(
        "allowance {}: {}{end}{closed}: {} free, {} held, {} granted ({})",
        it.id,
        it.kind,
        it.available,
        it.posted - it.available,
        it.granted,
        it.source
    ));
    for entry in entries {
        say(format_args!(
            "  {}  {:<8} {:>+7} free {:>+7} owned  = {} free of {}  {}  {}",
            entry.created_at.format("%Y-%m-%d %H:%M:%S"),
            entry.kind,
            entry.available_delta,
            entry.posted_delta,
            entry.available_after,
            entry.posted_after,
            entry.actor,
            entry.reason
        ));
    }
}

fn in_json(it: &allowances::Model, entries: &[ledger_entries::Model]) -> serde_json::Value {
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| {
            json!({
                "id": entry.id, "kind": entry.kind, "available_delta": entry.available_delta,
                "posted_delta": entry.posted_delta, "available_after": entry.available_after,
                "posted_after": entry.posted_after, "hold": entry.hold_id, "debt": entry.debt_id,
                "actor": entry.actor, "reason": entry.reason, "created_at": entry.created_at,
            })
        })
        .collect();
    json!({
        "id": it.id, "kind": it.kind, "granted": it.granted, "available": it.available, "posted": it.posted,
        "starts_at": it.starts_at, "expires_at": it.expires_at, "expired_at": it.expired_at,
        "revoked_at": it.revoked_at, "source": it.source, "entries": entries,
    })
}

fn debt(it: &debts::Model) -> serde_json::Value {
    json!({
        "id": it.id, "allowance": it.allowance_id, "unit": it.unit, "amount": it.amount,
        "outstanding": it.outstanding, "forgiven": it.forgiven, "reason": it.reason,
        "created_at": it.created_at, "cleared_at": it.cleared_at,
    })
}
