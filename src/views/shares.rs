//! Links to pictures: in their owner's list, and as whoever has one sees it.

use serde::Serialize;

use super::{assets::alt, billing::moment};
use crate::models::{assets, shares::Model};

#[derive(Debug, Serialize)]
pub struct ShareView {
    pub pid: String,
    pub link: String,
    pub until_words: String,
    pub shows_prompt: bool,
    pub revoke_url: String,
}

/// What somebody with the link sees.
#[derive(Debug, Serialize)]
pub struct SharedView {
    pub picture_url: String,
    pub alt: String,
    /// Empty when the owner keeps it.
    pub prompt: String,
    pub width: i64,
    pub height: i64,
    pub until_words: String,
}

#[must_use]
pub fn share(share: &Model, link: String) -> ShareView {
    ShareView {
        pid: share.pid.to_string(),
        link,
        until_words: moment(share.expires_at),
        shows_prompt: share.shows_prompt,
        revoke_url: format!("/app/shares/{}/revocation", share.pid),
    }
}

#[must_use]
pub fn shared(share: &Model, asset: &assets::Model, prompt: &str, url: &str) -> SharedView {
    SharedView {
        picture_url: format!("{url}/picture"),
        alt: if share.shows_prompt { alt(prompt) } else { "A picture that somebody shared with you".into() },
        prompt: if share.shows_prompt { prompt.to_owned() } else { String::new() },
        width: asset.width,
        height: asset.height,
        until_words: moment(share.expires_at),
    }
}
