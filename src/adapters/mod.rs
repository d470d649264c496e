//! What speaks to somebody else's computer. Imports nothing of ours but settings.

pub mod archive;
pub mod disk;
pub mod images;
pub mod payments;
pub mod postgres;
pub mod smtp;
pub mod storage;
