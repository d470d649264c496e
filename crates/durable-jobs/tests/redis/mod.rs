//! Hints through Redis: in Sidekiq's format, for its tools, and never needed.

mod adoption;
mod chaos;
mod format;
mod genuine;
mod hints;
mod server;
mod troubles;
