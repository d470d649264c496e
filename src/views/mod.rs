//! Models → what templates show, once per noun. No queries, no writes, no rules.

pub mod accounts;
pub mod admin;
pub mod allowances;
pub mod assets;
pub mod billing;
pub mod composer;
pub mod conversations;
pub mod exports;
pub mod failures;
pub mod gallery;
pub mod invoices;
pub mod queue;
pub mod runs;
pub mod shares;
pub mod standing;
pub mod switches;
pub mod turns;
