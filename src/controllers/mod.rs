//! Doors for browsers: find, call one verb, answer.

pub mod account;
pub mod admin;
pub mod billing;
pub mod components;
pub mod conversations;
pub mod dashboard;
pub mod error;
pub mod exports;
pub mod extractors;
pub mod files;
pub mod gallery;
pub mod generations;
pub mod health;
pub mod history;
pub mod home;
pub mod passwords;
pub mod pay;
pub mod pictures;
pub mod policy;
pub mod queue;
pub mod registrations;
pub mod runs;
pub mod sessions;
pub mod shares;
pub mod shell;
pub mod webhooks;

pub use error::{Error, Result};
