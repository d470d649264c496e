//! Gives a payment back, in two steps: first what it would do, then, confirmed, the deed.

use loco_rs::prelude::*;
use serde_json::json;

use super::{named_invoice, optional, required, say, wants_json};
use crate::models::{
    activities::Actor,
    allowances::Standing,
    invoices::{self, Refunding},
};

const USAGE: &str = "nproxy task invoice_refund invoice:ID|NUMBER reason:WORDS [confirm:yes] [json:true]";

pub struct InvoiceRefund;

#[async_trait]
impl Task for InvoiceRefund {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "invoice_refund".into(),
            detail: format!(
                "Write down that a payment goes back and take its month; what was used becomes a debt. The money is \
                 sent at the processor's. {USAGE}"
            ),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let invoice = named_invoice(ctx, vars, USAGE).await?;
        let reason = required(vars, "reason", USAGE)?;
        let id = invoice.id;
        if optional(vars, "confirm") != Some("yes") {
            let standing = invoices::would_refund(&ctx.db, &invoice).await?;
            let standing = standing.ok_or_else(|| not_paid(id, &invoice.state))?;
            tell(vars, id, false, "nothing was done yet; with confirm:yes", standing);
            return Ok(());
        }
        match invoices::refund(ctx, &invoice, &Actor::Cli, reason).await? {
            Refunding::Refunded(standing) => tell(vars, id, true, "refunded", standing),
            Refunding::AlreadyRefunded => return Err(not_paid(id, "refunded already")),
            Refunding::NotPaid(_) => return Err(not_paid(id, &invoice.state)),
            Refunding::NoReason => {
                return Err(Error::Message(format!("invoice {id} is not refunded without a reason")));
            }
        }
        Ok(())
    }
}

fn not_paid(id: i64, state: &str) -> Error {
    Error::Message(format!("invoice {id} is {state}: there is nothing to give back"))
}

fn tell(vars: &task::Vars, id: i64, is_done: bool, words: &str, Standing { free, held, used }: Standing) {
    if wants_json(vars) {
        say(json!({ "invoice": id, "refunded": is_done, "free": free, "held": held, "used": used }));
    } else {
        say(format_args!(
            "invoice {id}: {words}: {free} free are gone, {held} go when their runs give them back, {used} used are owed"
        ));
    }
}
