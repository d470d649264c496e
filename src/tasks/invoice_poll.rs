//! Scheduled: invoices that may have been paid are asked for, because webhooks get lost.

use loco_rs::prelude::*;

use super::say;
use crate::models::invoices;

pub struct InvoicePoll;

#[async_trait]
impl Task for InvoicePoll {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "invoice_poll".into(),
            detail: "Ask the processors for invoices that are due (scheduled). nproxy task invoice_poll".into(),
        }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        match invoices::poll(ctx).await? {
            (0, _) => {}
            (looked, paid) => say(format_args!("{looked} invoices asked for, {paid} of them are paid now")),
        }
        Ok(())
    }
}
