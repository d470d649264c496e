//! What speaks to somebody else's computer. Imports nothing of ours but settings.

pub mod images;
pub mod mail;
pub mod payments;
pub mod storage;
pub mod telegram;
