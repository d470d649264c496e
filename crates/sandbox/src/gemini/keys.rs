//! Who calls: the key of a request, and what a call that costs nothing needs.

use axum::http::{HeaderMap, header};
use serde::Deserialize;

use super::answer::VendorError;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Params {
    key: Option<String>,
    #[serde(rename = "pageSize", alias = "page_size")]
    pub(super) page_size: Option<usize>,
    #[serde(rename = "pageToken", alias = "page_token")]
    pub(super) page_token: Option<usize>,
}

/// The key of a request, from wherever it came.
pub(super) struct Sent {
    pub(super) key: String,
    pub(super) in_query: bool,
    bearer: bool,
}

impl Sent {
    pub(super) fn read(params: &Params, headers: &HeaderMap) -> Self {
        let header = headers.get("x-goog-api-key").and_then(|value| value.to_str().ok()).map(str::trim);
        Self {
            key: header.or(params.key.as_deref()).unwrap_or_default().to_owned(),
            in_query: header.is_none() && params.key.is_some(),
            bearer: headers.contains_key(header::AUTHORIZATION),
        }
    }

    /// As the one-api family's billing wants it.
    pub(super) fn of_bearer(headers: &HeaderMap) -> Self {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().trim().to_owned();
        Self { key, in_query: false, bearer: true }
    }

    pub(super) fn check(&self) -> Result<(), VendorError> {
        match self.key.as_str() {
            "" if self.bearer => Err(VendorError::unauthenticated()),
            "" => Err(VendorError::no_key()),
            _ if self.is_known() => Ok(()),
            _ => Err(VendorError::key_invalid()),
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.key.starts_with("sandbox-") || self.key.starts_with("AIza")
    }
}
