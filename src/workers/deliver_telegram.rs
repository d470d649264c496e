//! Sends what waits for a chat. The job holds the chat; the words are made when they are sent.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::models::alerts;

pub struct DeliverTelegram {
    ctx: AppContext,
}

/// An admin's id at Telegram, which also names the chat.
#[derive(Debug, Serialize, Deserialize)]
pub struct Chat {
    pub chat: i64,
}

#[async_trait]
impl BackgroundWorker<Chat> for DeliverTelegram {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Chat { chat }: Chat) -> Result<()> {
        alerts::deliver(&self.ctx, chat).await
    }
}

impl Durable<Chat> for DeliverTelegram {
    /// With the default backoff about a day of a Telegram that does not answer.
    const ATTEMPTS: i32 = 300;

    fn unique_key(Chat { chat }: &Chat) -> Option<String> {
        Some(format!("telegram:{chat}"))
    }
}
