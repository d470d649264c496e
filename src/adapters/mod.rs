//! What speaks to somebody else's computer. Imports nothing of ours but settings.

pub mod archive;
pub mod disk;
pub mod images;
pub mod mail;
pub mod payments;
pub mod postgres;
pub mod push;
pub mod sqlite;
pub mod storage;
pub mod telegram;
