//! Ends what goes on in a deleted conversation, and takes its files away when it can no longer be brought back.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::models::conversations;

pub struct EraseConversation {
    ctx: AppContext,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Remains {
    pub conversation: i64,
}

#[async_trait]
impl BackgroundWorker<Remains> for EraseConversation {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Remains { conversation }: Remains) -> Result<()> {
        conversations::erase(&self.ctx, conversation).await
    }
}

impl Durable<Remains> for EraseConversation {
    /// With the default backoff about a day of a store that does not answer.
    const ATTEMPTS: i32 = 300;
}
