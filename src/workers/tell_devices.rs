//! Looks whether the end of a run was seen, and tells the person's browsers otherwise.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::models::devices;

pub struct TellDevices {
    ctx: AppContext,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Ended {
    pub run: i64,
}

#[async_trait]
impl BackgroundWorker<Ended> for TellDevices {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Ended { run }: Ended) -> Result<()> {
        devices::tell(&self.ctx, run).await
    }
}

impl Durable<Ended> for TellDevices {
    const ATTEMPTS: i32 = 20;
}
