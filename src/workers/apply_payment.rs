//! Asks the processor about an invoice, because a webhook said that something may have changed.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::models::invoices::{self, Applied};

pub struct ApplyPayment {
    ctx: AppContext,
}

/// The id of the invoice; what was said of it is in the inbox.
#[derive(Debug, Serialize, Deserialize)]
pub struct Due {
    pub invoice: i64,
}

#[async_trait]
impl BackgroundWorker<Due> for ApplyPayment {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Due { invoice }: Due) -> Result<()> {
        match invoices::apply(&self.ctx, invoice).await? {
            Applied::Unanswered(failure) => Err(Error::Message(failure.to_string())),
            Applied::Stands(..)
            | Applied::NoCheckout
            | Applied::NoProcessor
            | Applied::Mismatched(_)
            | Applied::Unknown => Ok(()),
        }
    }
}

/// No unique key: a job under way may have asked just before this news.
impl Durable<Due> for ApplyPayment {
    /// About a quarter of an hour; the poller asks for longer.
    const ATTEMPTS: i32 = 10;
}
