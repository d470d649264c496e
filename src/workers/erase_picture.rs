//! Takes the bytes of a deleted picture away.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::models::assets;

pub struct ErasePicture {
    ctx: AppContext,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Picture {
    pub asset: i64,
}

#[async_trait]
impl BackgroundWorker<Picture> for ErasePicture {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Picture { asset }: Picture) -> Result<()> {
        assets::erase(&self.ctx, asset).await
    }
}

impl Durable<Picture> for ErasePicture {
    /// With the default backoff about a day of a store that does not answer.
    const ATTEMPTS: i32 = 300;
}
