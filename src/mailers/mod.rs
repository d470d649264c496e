//! Mails, written when they are sent.

pub mod accounts;
