//! Sends one mail. The job holds a person and an occasion; text and link are made when it is sent, so that no link ever
//! lies in a queue.

use loco_rs::prelude::*;

use super::Durable;
use crate::mailers::accounts::{self, Letter};

pub struct DeliverMail {
    ctx: AppContext,
}

#[async_trait]
impl BackgroundWorker<Letter> for DeliverMail {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Letter { user, occasion }: Letter) -> Result<()> {
        accounts::deliver(&self.ctx, user, occasion).await
    }
}

impl Durable<Letter> for DeliverMail {
    /// With the default backoff about a day of a mail server that does not answer.
    const ATTEMPTS: i32 = 300;
}
