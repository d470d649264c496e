use std::fmt;

use bytes::Bytes;

/// A picture as the vendor made it: recognised by its first bytes, not yet decoded. Whoever stores it decodes it under
/// limits of its own (a few kilobytes can unpack to gigapixels).
#[derive(Clone)]
pub struct Output {
    pub bytes: Bytes,
    /// `image/png`, `image/jpeg` or `image/webp`, read from the bytes; what the vendor called it is not asked.
    pub mime: &'static str,
    pub usage: Usage,
    /// The vendor's id of this answer, for a support request.
    pub response_id: Option<String>,
}

impl Output {
    /// What `attempts.outcome` holds for a picture that arrived, beside [`Failure::class`](super::Failure::class).
    pub const CLASS: &'static str = "delivered";
}

/// What the vendor says it counted, in tokens; 0 where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u64,
    /// Picture and thinking together: both are billed as output.
    pub output_tokens: u64,
}

/// The type of a picture by its magic bytes, for the three types we store.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some("image/png"),
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("bytes", &format_args!("<{} bytes>", self.bytes.len()))
            .field("mime", &self.mime)
            .field("usage", &self.usage)
            .field("response_id", &self.response_id)
            .finish()
    }
}
