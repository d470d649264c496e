//! Packs what a person takes away.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Durable, LONG};
use crate::models::exports;

pub struct PrepareExport {
    ctx: AppContext,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub export: i64,
    /// How often there was no packer free.
    #[serde(default)]
    pub put_off: u32,
}

#[async_trait]
impl BackgroundWorker<Order> for PrepareExport {
    fn queue() -> Option<String> {
        Some(LONG.to_owned())
    }

    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, order: Order) -> Result<()> {
        Box::pin(exports::prepare(&self.ctx, &order)).await
    }
}

impl Durable<Order> for PrepareExport {
    /// With the default backoff about a day of a store that does not answer.
    const ATTEMPTS: i32 = 300;

    /// The job that puts an archive off still runs when the next one is written, so each turn has a key of its own.
    fn unique_key(order: &Order) -> Option<String> {
        Some(format!("export:{}:{}", order.export, order.put_off))
    }
}
