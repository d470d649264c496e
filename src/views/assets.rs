//! A picture as pages show it.

use serde::Serialize;
use uuid::Uuid;

use crate::models::assets::Model;

const ALT_CHARS: usize = 140;

#[derive(Debug, Clone, Serialize)]
pub struct PictureView {
    pub pid: String,
    pub url: String,
    pub thumb_url: String,
    pub download_url: String,
    pub use_url: String,
    /// The same for htmx, which wants no place in the address.
    pub use_get: String,
    pub delete_url: String,
    pub width: i64,
    pub height: i64,
    pub alt: String,
}

/// `conversation_url` is where "use as input" leads.
#[must_use]
pub fn picture(asset: &Model, prompt: &str, conversation_url: &str) -> PictureView {
    let pid = asset.pid.to_string();
    PictureView {
        url: file_url(asset),
        thumb_url: thumb_url(asset),
        download_url: format!("/app/files/{pid}?download=1"),
        use_url: format!("{conversation_url}?input={pid}#composer"),
        use_get: format!("{conversation_url}?input={pid}"),
        delete_url: format!("/app/pictures/{pid}/deletion"),
        width: asset.width,
        height: asset.height,
        alt: alt(prompt),
        pid,
    }
}

#[must_use]
pub fn file_url(asset: &Model) -> String {
    format!("/app/files/{}", asset.pid)
}

#[must_use]
pub fn thumb_url(asset: &Model) -> String {
    thumb_url_of(asset.pid)
}

#[must_use]
pub fn thumb_url_of(pid: Uuid) -> String {
    format!("/app/files/{pid}/thumbnail")
}

/// The prompt stands for what is seen.
#[must_use]
pub fn alt(prompt: &str) -> String {
    let words = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= ALT_CHARS {
        return words;
    }
    format!("{}…", words.chars().take(ALT_CHARS).collect::<String>())
}
