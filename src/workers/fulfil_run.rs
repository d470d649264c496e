//! Gets the pictures of a run.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Durable, LONG};
use crate::models::runs;

pub struct FulfilRun {
    ctx: AppContext,
}

/// The id of the run; everything else is in the database.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub run: i64,
}

#[async_trait]
impl BackgroundWorker<Order> for FulfilRun {
    fn queue() -> Option<String> {
        Some(LONG.to_owned())
    }

    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Order { run }: Order) -> Result<()> {
        runs::fulfil(&self.ctx, run).await
    }
}

impl Durable<Order> for FulfilRun {
    const ATTEMPTS: i32 = 5;

    fn unique_key(order: &Order) -> Option<String> {
        Some(format!("run:{}", order.run))
    }
}
