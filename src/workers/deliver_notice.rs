//! Mails one notice, once. The job is written in the transaction that claims it, so there is one.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::{mailers::billing, models::notifications};

pub struct DeliverNotice {
    ctx: AppContext,
}

/// The id of the notification; the words are made when it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Telling {
    pub notification: i64,
}

#[async_trait]
impl BackgroundWorker<Telling> for DeliverNotice {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Telling { notification }: Telling) -> Result<()> {
        let db = &self.ctx.db;
        let Some(notice) = notifications::unsent(db, notification).await? else { return Ok(()) };
        match billing::deliver(&self.ctx, &notice).await {
            Ok(true) => notice.mark_sent(db).await,
            Ok(false) => notice.mark_failed(db, "there is nothing to say any more").await,
            Err(error) => {
                notice.mark_failed(db, "the mail server did not take it").await?;
                Err(error)
            }
        }
    }
}

impl Durable<Telling> for DeliverNotice {
    /// With the default backoff about a day of a mail server that does not answer.
    const ATTEMPTS: i32 = 300;
}
