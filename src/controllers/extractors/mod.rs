//! Asking for it is being allowed it: what a handler takes as a parameter was looked up through the person.

mod client;
mod own;
mod page;
mod session;
mod upload;

pub use client::Client;
pub use own::{OwnAsset, OwnConversation, OwnGeneration, OwnPicture, OwnRemains, OwnRun};
pub use page::{Page, frame, is_htmx};
pub use session::{CurrentUser, Visitor, cleared_cookie, session_cookie, session_token};
pub use upload::AskForm;
