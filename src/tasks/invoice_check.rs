//! Has the processor asked about an invoice, now.

use loco_rs::prelude::*;
use serde_json::json;

use super::{named_invoice, optional, say, wants_json};
use crate::models::{
    activities::Actor,
    invoices::{self, Applied},
};

const USAGE: &str = "nproxy task invoice_check invoice:ID|NUMBER [reason:WORDS] [json:true]";

pub struct InvoiceCheck;

#[async_trait]
impl Task for InvoiceCheck {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "invoice_check".into(),
            detail: format!("Ask the processor about an invoice now, and do what follows from its answer. {USAGE}"),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let invoice = named_invoice(ctx, vars, USAGE).await?;
        let reason = optional(vars, "reason").unwrap_or("asked on the console");
        let applied = invoices::check(ctx, &invoice, &Actor::Cli, reason).await?;
        let words = applied.in_words();
        match applied {
            Applied::Stands(..) | Applied::NoCheckout => {
                if wants_json(vars) {
                    say(json!({ "invoice": invoice.id, "came_of_it": words }));
                } else {
                    say(format_args!("invoice {}: {words}", invoice.id));
                }
                Ok(())
            }
            Applied::NoProcessor | Applied::Mismatched(_) | Applied::Unanswered(_) | Applied::Unknown => {
                Err(Error::Message(format!("invoice {}: {words}", invoice.id)))
            }
        }
    }
}
