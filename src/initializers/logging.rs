//! The log: as talkative as its operator likes (`LOG_FILTER`, `RUST_LOG`), but for what would tell a secret.

use loco_rs::{config::Logger, logger};
use tracing::{Level, Metadata};
use tracing_subscriber::{filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

use crate::app::App;

/// At `trace` its spans hold the address that it connects to, with the password.
const TELLS_THE_ADDRESS: &str = "sea_orm::driver";

/// Begins it; once in a process.
pub fn begin(config: &Logger) {
    if config.enable {
        tracing_subscriber::registry()
            .with(logger::init_layer(std::io::stdout, &config.format, true))
            .with(logger::init_env_filter::<App>(config.override_filter.as_ref(), &config.level))
            .with(filter_fn(keeps_secrets))
            .init();
    }
}

fn keeps_secrets(of: &Metadata<'_>) -> bool {
    !of.target().starts_with(TELLS_THE_ADDRESS) || *of.level() <= Level::INFO
}
