//! The processes of a server, under the settings of a server.

mod caddy;
mod files;
mod fleet;
mod side_by_side;
mod sidekiq;
mod starting;
