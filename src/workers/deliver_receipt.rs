//! Sends the receipt of a paid invoice. The job is written in the transaction that makes it paid, so there is one.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::mailers::billing;

pub struct DeliverReceipt {
    ctx: AppContext,
}

/// The id of the invoice; the words are made when it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Receipt {
    pub invoice: i64,
}

#[async_trait]
impl BackgroundWorker<Receipt> for DeliverReceipt {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Receipt { invoice }: Receipt) -> Result<()> {
        billing::deliver_receipt(&self.ctx, invoice).await
    }
}

impl Durable<Receipt> for DeliverReceipt {
    /// With the default backoff about a day of a mail server that does not answer.
    const ATTEMPTS: i32 = 300;
}
