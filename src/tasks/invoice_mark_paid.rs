//! Calls an invoice paid, on the operator's word.

use loco_rs::prelude::*;
use serde_json::json;

use super::{named_invoice, required, say, wants_json};
use crate::models::{
    activities::Actor,
    invoices::{self, Marking},
};

const USAGE: &str = "nproxy task invoice_mark_paid invoice:ID|NUMBER reason:WORDS [json:true]";

pub struct InvoiceMarkPaid;

#[async_trait]
impl Task for InvoiceMarkPaid {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "invoice_mark_paid".into(),
            detail: format!("Call an invoice paid although its processor does not; its month is given once. {USAGE}"),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let invoice = named_invoice(ctx, vars, USAGE).await?;
        let reason = required(vars, "reason", USAGE)?;
        let id = invoice.id;
        let why = match invoices::mark_paid(ctx, &invoice, &Actor::Cli, reason).await? {
            Marking::Marked(month) => {
                if wants_json(vars) {
                    say(json!({ "invoice": id, "state": "paid", "allowance": month.id }));
                } else {
                    say(format_args!("invoice {id} is paid now, by your word; its month is allowance {}", month.id));
                }
                return Ok(());
            }
            Marking::AlreadyPaid => "was paid before; nothing was given",
            Marking::Refunded => "was paid and given back; nothing was given",
            Marking::NoReason => "is not called paid without a reason",
        };
        Err(Error::Message(format!("invoice {id} {why}")))
    }
}
