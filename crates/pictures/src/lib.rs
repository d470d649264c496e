//! Pictures are believed only after they were decoded, under limits. A crate of its own, so that the pixel work is
//! optimised in development builds too.
//!
//! In three steps, each of which reads less than the next and refuses what it does not like: [`scan`] walks through the
//! container, notes which bytes make the pixels and what decoding them will cost; then the pixels are decoded out of
//! nothing but those bytes; then they are stored without the rest ([`examine`]) or drawn anew ([`redraw`]).

mod decode;
mod draw;
mod scan;
mod source;

use bytes::Bytes;

pub use scan::{Scan, scan};
pub use source::Source;

/// A file that a person gives.
pub const UPLOAD_MAX_BYTES: usize = 20 * 1024 * 1024;
/// A picture that a provider sends.
pub const OUTPUT_MAX_BYTES: usize = 32 * 1024 * 1024;
/// What all decoding of a process may hold at once; a picture that needs more by itself is not taken. Enough for 40
/// megapixels of any ordinary packing.
pub const MEMORY: u64 = 232 * 1024 * 1024;

/// The longer side of a picture that was drawn anew: as large as any model makes them.
pub const REDRAWN_SIDE: u32 = 4096;
/// A picture that was drawn anew has to fit, in base64, into a request to a provider.
pub const REDRAWN_MAX_BYTES: usize = 12 * 1024 * 1024;
/// The longer side of a thumbnail.
const THUMB_SIDE: u32 = 640;

/// A picture that was decoded, without anything but pixels in it.
#[derive(Clone)]
pub struct Picture {
    pub bytes: Bytes,
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub mime: &'static str,
    pub width: u32,
    pub height: u32,
    /// JPEG.
    pub thumbnail: Bytes,
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    NotAPicture,
    TooManyBytes,
    TooManyPixels,
    /// A picture, but packed so that reading it would take too much.
    Unwieldy,
}

/// Keeps the pixels of what a provider sent as they are: only metadata and what trails the picture is cut off. One that
/// only metadata turns upright is drawn anew.
///
/// # Errors
/// Why the file is not taken.
pub fn examine(source: &Source, scan: &Scan) -> Result<Picture, Fault> {
    if !scan.is_upright() {
        return redraw(source, scan);
    }
    let bytes = scan.clean(source)?;
    let mut pixels = decode::decode(scan, &bytes)?;
    let (width, height) = (pixels.width, pixels.height);
    let thumbnail = draw::thumbnail(&mut pixels).ok_or(Fault::NotAPicture)?;
    Ok(Picture { bytes, mime: scan.mime(), width, height, thumbnail })
}

/// Draws what a person gave anew, upright and at most [`REDRAWN_SIDE`] long: no byte of the file itself is kept.
///
/// # Errors
/// Why the file is not taken.
pub fn redraw(source: &Source, scan: &Scan) -> Result<Picture, Fault> {
    let bytes = scan.clean(source)?;
    let mut pixels = decode::decode(scan, &bytes)?;
    drop(bytes);
    pixels.fit(REDRAWN_SIDE).ok_or(Fault::NotAPicture)?;
    pixels.turn(scan.orientation()).ok_or(Fault::NotAPicture)?;
    let (bytes, mime) = draw::anew(&mut pixels, scan.is_lossy())?;
    let (width, height) = (pixels.width, pixels.height);
    let thumbnail = draw::thumbnail(&mut pixels).ok_or(Fault::NotAPicture)?;
    Ok(Picture { bytes, mime, width, height, thumbnail })
}

/// The file name's end for a stored type.
#[must_use]
pub fn extension(mime: &str) -> &'static str {
    match mime {
        "image/jpeg" => "jpg",
        "image/webp" => "webp",
        _ => "png",
    }
}

impl Picture {
    #[must_use]
    pub fn extension(&self) -> &'static str {
        extension(self.mime)
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} {}×{}, {} bytes)", self.mime, self.width, self.height, self.bytes.len())
    }
}
