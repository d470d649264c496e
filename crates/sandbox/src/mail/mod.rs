//! A mail server that delivers nothing and keeps everything.

mod mailbox;
mod smtp;

pub(crate) use mailbox::find_links;
pub use mailbox::{Mail, MailBox, SmtpFault};
pub(crate) use smtp::serve;
