//! Doors for browsers: find, call one verb, answer.

pub mod account;
pub mod billing;
pub mod conversations;
pub mod dashboard;
pub mod error;
pub mod extractors;
pub mod files;
pub mod generations;
pub mod health;
pub mod history;
pub mod home;
pub mod passwords;
pub mod pay;
pub mod pictures;
pub mod policy;
pub mod registrations;
pub mod runs;
pub mod sessions;
pub mod webhooks;

pub use error::{Error, Result};
