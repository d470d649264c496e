//! Mails, written when they are sent.

pub mod accounts;
pub mod billing;
