//! Packs what a person takes away.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::models::exports;

pub struct PrepareExport {
    ctx: AppContext,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub export: i64,
}

#[async_trait]
impl BackgroundWorker<Order> for PrepareExport {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Order { export }: Order) -> Result<()> {
        Box::pin(exports::prepare(&self.ctx, export)).await
    }
}

impl Durable<Order> for PrepareExport {
    /// With the default backoff about a day of a store that does not answer.
    const ATTEMPTS: i32 = 300;
}
