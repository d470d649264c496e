//! Scheduled: the processors' lists are held against ours. What is paid there is applied here; the reverse is reported.

use loco_rs::prelude::*;

use super::say;
use crate::models::invoices;

pub struct InvoiceReconcile;

#[async_trait]
impl Task for InvoiceReconcile {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "invoice_reconcile".into(),
            detail:
                "Hold the processors' last three days against our invoices (scheduled); leaves with 1 when an operator \
                     has to look. nproxy task invoice_reconcile"
                    .into(),
        }
    }

    async fn run(&self, ctx: &AppContext, _vars: &task::Vars) -> Result<()> {
        let findings = invoices::reconcile(ctx).await?;
        for finding in &findings {
            say(finding.in_words());
        }
        match findings.iter().filter(|finding| finding.is_alarm()).count() {
            0 => Ok(()),
            alarms => Err(Error::Message(format!("{alarms} things to look at; nothing was taken from anybody"))),
        }
    }
}
