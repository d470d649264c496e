//! Models → what templates show, once per noun. No queries, no writes, no rules.

pub mod accounts;
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
pub mod turns;
