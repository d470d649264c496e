//! Processes that die while they work: what was promised is kept, and the evidence would show it if it were not.

mod chaos;
mod evidence;
mod fleet;
mod mutants;
mod rescue;
mod submitter;
mod worker;

pub use chaos::Chaos;
pub use evidence::{findings, prepare};
pub use fleet::Fleet;
pub use worker::{Orders, Role};
