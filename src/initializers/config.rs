//! What of the configuration every request carries.

use loco_rs::config::Config;

/// Axum hands each handler a copy of the context, and Loco's holds the whole configuration by value: hundreds of small
/// pieces of memory for each request. What only the start and the operator's pages ask for stays where it is kept once
/// (`Parts::config`).
pub fn lighten(config: &mut Config) {
    config.settings = None;
    config.initializers = None;
    config.scheduler = None;
    config.mailer = None;
    config.auth = None;
    config.queue = None;
    config.server.middlewares = loco_rs::controller::middleware::Config::default();
}
