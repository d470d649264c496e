//! From pixels to a file of our own.

use std::io::{self, Write};

use bytes::Bytes;
use image::{
    ExtendedColorType, ImageEncoder,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
};

use crate::{Fault, REDRAWN_MAX_BYTES, THUMB_SIDE, decode::Pixels};

const QUALITY: u8 = 92;
const THUMB_QUALITY: u8 = 80;

/// Lossy pictures become JPEG and others PNG, unless that is too large; in the end the picture becomes smaller.
pub(crate) fn anew(pixels: &mut Pixels, is_lossy: bool) -> Result<(Bytes, &'static str), Fault> {
    let mut as_jpeg = is_lossy && !pixels.has_alpha();
    loop {
        let drawn = if as_jpeg { jpeg(pixels, QUALITY) } else { png(pixels) };
        if let Some(bytes) = drawn {
            return Ok((bytes, if as_jpeg { "image/jpeg" } else { "image/png" }));
        }
        let longer = pixels.width.max(pixels.height);
        if !as_jpeg && pixels.is_opaque() {
            as_jpeg = true;
            pixels.flatten();
        } else if longer > THUMB_SIDE {
            pixels.fit(longer / 4 * 3).ok_or(Fault::NotAPicture)?;
        } else {
            return Err(Fault::NotAPicture);
        }
    }
}

/// JPEG, on white; the pixels are used up.
pub(crate) fn thumbnail(pixels: &mut Pixels) -> Option<Bytes> {
    pixels.fit(THUMB_SIDE)?;
    pixels.flatten();
    jpeg(pixels, THUMB_QUALITY)
}

fn png(pixels: &Pixels) -> Option<Bytes> {
    let mut file = Bounded::default();
    PngEncoder::new(&mut file).write_image(&pixels.data, pixels.width, pixels.height, colours(pixels)).ok()?;
    Some(file.0.into())
}

fn jpeg(pixels: &Pixels, quality: u8) -> Option<Bytes> {
    let mut file = Bounded::default();
    let encoder = JpegEncoder::new_with_quality(&mut file, quality);
    encoder.write_image(&pixels.data, pixels.width, pixels.height, colours(pixels)).ok()?;
    Some(file.0.into())
}

const fn colours(pixels: &Pixels) -> ExtendedColorType {
    match pixels.channels {
        1 => ExtendedColorType::L8,
        2 => ExtendedColorType::La8,
        3 => ExtendedColorType::Rgb8,
        _ => ExtendedColorType::Rgba8,
    }
}

/// Stops an encoder as soon as its file is too large.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > REDRAWN_MAX_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
