//! Tells one browser that a run has ended; the words are made when they are sent.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::models::devices;

pub struct TellDevice {
    ctx: AppContext,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Telling {
    pub device: i64,
    pub run: i64,
}

#[async_trait]
impl BackgroundWorker<Telling> for TellDevice {
    fn build(ctx: &AppContext) -> Self {
        Self { ctx: ctx.clone() }
    }

    async fn perform(&self, Telling { device, run }: Telling) -> Result<()> {
        devices::deliver(&self.ctx, device, run).await
    }
}

impl Durable<Telling> for TellDevice {
    /// With the default backoff some hours of a push service that does not answer.
    const ATTEMPTS: i32 = 40;
}
