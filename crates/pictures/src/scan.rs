//! A walk through the container, without decoding: which bytes make the pixels, and what decoding them will cost.

mod jpeg;
mod lossless;
mod png;
mod webp;

use std::{io, ops::Range};

use bytes::Bytes;
use image::metadata::Orientation;

use crate::{Fault, MEMORY, REDRAWN_MAX_BYTES, REDRAWN_SIDE, Source, source::Window};

/// Width times height.
const MAX_PIXELS: u64 = 40_000_000;
/// A row of pixels is held several times over; a JPEG cannot be longer either.
const MAX_SIDE: u32 = 65_535;
/// A container in more pieces than this is not a picture but a puzzle.
const MAX_PARTS: usize = 20_000;
/// EXIF is at most as long as a segment of a JPEG.
const EXIF_MAX: u64 = 65_535;

/// What a file turned out to be.
#[derive(Debug)]
pub struct Scan {
    pub(crate) kind: Kind,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// 1 to 4.
    pub(crate) channels: u8,
    orientation: Orientation,
    parts: Vec<Part>,
    /// What the decoder holds beside the pixels themselves.
    beside: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Png,
    Jpeg,
    WebpLossy,
    /// Without alpha its pixels are decoded with one, which is then dropped.
    WebpLossless,
}

/// A piece of the file that makes the pixels, or what we say instead.
#[derive(Debug)]
enum Part {
    Ours(Vec<u8>),
    Theirs(Range<u64>),
}

/// Recognises a file by its content and sizes it up.
///
/// # Errors
/// Why the file is not taken.
pub fn scan(source: &Source, max_bytes: usize) -> Result<Scan, Fault> {
    if source.len() > max_bytes as u64 {
        return Err(Fault::TooManyBytes);
    }
    let mut file = source.window();
    let head = file.bytes(0, 12).ok_or(Fault::NotAPicture)?;
    let scan = match head {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => png::scan(&mut file)?,
        [0xFF, 0xD8, 0xFF, ..] => jpeg::scan(&mut file)?,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => webp::scan(source, &mut file)?,
        _ => return Err(Fault::NotAPicture),
    };
    if scan.width == 0 || scan.height == 0 {
        return Err(Fault::NotAPicture);
    }
    if scan.pixels() > MAX_PIXELS {
        return Err(Fault::TooManyPixels);
    }
    if scan.width.max(scan.height) > MAX_SIDE || scan.parts.len() > MAX_PARTS || scan.memory() > MEMORY {
        return Err(Fault::Unwieldy);
    }
    Ok(scan)
}

impl Scan {
    /// What decoding and drawing hold at their worst moment, in bytes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let channels = u64::from(self.channels);
        let decoded = self.pixels() * if self.kind == Kind::WebpLossless { 4 } else { channels };
        let fitted = self.pixels().min(u64::from(REDRAWN_SIDE).pow(2)) * channels;
        let drawn = 2 * REDRAWN_MAX_BYTES as u64;
        let while_decoding = self.length() + decoded + self.beside;
        while_decoding.max(decoded + fitted).max(3 * fitted + drawn) + 1024 * 1024
    }

    pub(crate) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    pub(crate) fn is_lossy(&self) -> bool {
        matches!(self.kind, Kind::Jpeg | Kind::WebpLossy)
    }

    pub(crate) fn is_upright(&self) -> bool {
        self.orientation == Orientation::NoTransforms
    }

    pub(crate) const fn orientation(&self) -> Orientation {
        self.orientation
    }

    pub(crate) const fn mime(&self) -> &'static str {
        match self.kind {
            Kind::Png => "image/png",
            Kind::Jpeg => "image/jpeg",
            Kind::WebpLossy | Kind::WebpLossless => "image/webp",
        }
    }

    fn length(&self) -> u64 {
        let length = |part: &Part| match part {
            Part::Ours(bytes) => bytes.len() as u64,
            Part::Theirs(range) => range.end - range.start,
        };
        self.parts.iter().map(length).sum()
    }

    /// The file with nothing in it but what makes the pixels.
    pub(crate) fn clean(&self, source: &Source) -> Result<Bytes, Fault> {
        let joined = || -> io::Result<Vec<u8>> {
            let mut clean = Vec::with_capacity(usize::try_from(self.length()).map_err(io::Error::other)?);
            for part in &self.parts {
                match part {
                    Part::Ours(bytes) => clean.extend_from_slice(bytes),
                    Part::Theirs(range) => source.copy(range, &mut clean)?,
                }
            }
            Ok(clean)
        };
        joined().map(Bytes::from).map_err(|_| Fault::NotAPicture)
    }
}

/// Takes a piece, as one with the piece before where they touch.
fn keep(parts: &mut Vec<Part>, range: Range<u64>) {
    match parts.last_mut() {
        Some(Part::Theirs(last)) if last.end == range.start => last.end = range.end,
        _ => parts.push(Part::Theirs(range)),
    }
}

/// How a TIFF block says the picture has to be turned; the first one that says anything counts.
fn orientation_of(file: &mut Window<'_>, tiff: Range<u64>) -> Option<Orientation> {
    let length = usize::try_from((tiff.end - tiff.start).min(EXIF_MAX)).ok()?;
    Orientation::from_exif_chunk(file.bytes(tiff.start, length)?)
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn le32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
