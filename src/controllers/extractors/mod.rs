//! Asking for it is being allowed it: what a handler takes as a parameter was looked up through the person.

mod client;
mod form;
mod own;
mod page;
mod session;
mod staff;
mod theme;
mod upload;

pub use crate::models::sessions::Client;
pub use form::Form;
pub use own::{
    OwnAsset, OwnConversation, OwnExport, OwnGeneration, OwnInvoice, OwnPicture, OwnRemains, OwnRun, OwnSession,
    OwnShare,
};
pub use page::{Page, PageLater, frame, is_htmx};
pub use session::{CurrentSession, CurrentUser, Visitor, cleared_cookie, session_cookie, session_token};
pub use staff::{Admin, AtTheDoor, Confirmed, Owner, SECOND_FACTOR, Staff, is_at_the_door, is_of_the_house};
pub use theme::Theme;
pub use upload::AskForm;
