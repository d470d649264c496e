//! Takes the files of somebody who has left out of the store.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::models::assets;

pub struct EraseFiles {
    ctx: AppContext,
}

/// Whose files; which ones is in the database.
#[derive(Debug, Serialize, Deserialize)]
pub struct Erasure {
    pub user: i64,
}

#[async_trait]
impl BackgroundWorker<Erasure> for EraseFiles {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Erasure { user }: Erasure) -> Result<()> {
        assets::erase_all_of(&self.ctx, user).await
    }
}

impl Durable<Erasure> for EraseFiles {
    /// With the default backoff about a day of a store that does not answer.
    const ATTEMPTS: i32 = 300;
}
