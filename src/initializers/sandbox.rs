//! Stand-ins for the outside world inside this process, on fixed loopback ports, when the configuration says so.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use loco_rs::{
    Error, Result,
    app::{AppContext, Initializer},
};

use crate::context::Nproxy;

pub struct Sandbox;

#[async_trait]
impl Initializer for Sandbox {
    fn name(&self) -> String {
        "sandbox".into()
    }

    async fn before_run(&self, ctx: &AppContext) -> Result<()> {
        let parts = ctx.parts();
        let settings = &parts.settings().sandbox;
        if !settings.on {
            return Ok(());
        }
        let options = sandbox::Options {
            http: SocketAddr::from(([127, 0, 0, 1], settings.port)),
            smtp: SocketAddr::from(([127, 0, 0, 1], settings.smtp_port)),
            btcpay_webhook: format!("{}/webhooks/btcpay", parts.settings().app_url.as_str().trim_end_matches('/')),
            confirm_after: Some(sandbox::CONFIRM_AFTER),
            ..sandbox::Options::default()
        };
        let running = sandbox::Sandbox::start(options).await.map_err(|e| {
            Error::Message(format!(
                "the sandbox cannot listen on ports {} and {}: {e}. Is another nproxy running? SANDBOX_PORT and \
                 SANDBOX_SMTP_PORT move it",
                settings.port, settings.smtp_port
            ))
        })?;
        tracing::warn!(
            url = settings.url(),
            "the sandbox stands in for image providers, payment processors, Telegram and mail"
        );
        ctx.shared_store.insert(Arc::new(running));
        Ok(())
    }
}

/// Frees its ports.
pub fn stop(ctx: &AppContext) {
    drop(ctx.shared_store.remove::<Arc<sandbox::Sandbox>>());
}
