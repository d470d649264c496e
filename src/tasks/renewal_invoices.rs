//! Scheduled: who may want to renew finds an invoice ready.

use loco_rs::prelude::*;

use super::say;
use crate::models::invoices;

pub struct RenewalInvoices;

#[async_trait]
impl Task for RenewalInvoices {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "renewal_invoices".into(),
            detail: "Lay an unpaid invoice ready for those whose plan ends within 72 hours (scheduled). nproxy task \
                     renewal_invoices"
                .into(),
        }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        match invoices::prepare_renewals(ctx).await? {
            0 => {}
            n => say(format_args!("{n} invoices lie ready")),
        }
        Ok(())
    }
}
