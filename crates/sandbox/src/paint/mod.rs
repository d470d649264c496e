//! The painter: real, different, pleasant pictures made up from a prompt.
//!
//! The words choose a motif and colours, a hash of the prompt and a running number decide everything
//! else. The same order always gives the same picture.

mod brief;
mod canvas;
mod colour;
mod motifs;
mod noise;
mod palette;
mod png;
mod remix;

use std::io::Cursor;

use bytes::Bytes;
use image::{
    ExtendedColorType, ImageEncoder, ImageReader, Limits, RgbImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    imageops,
};

use brief::Brief;
use canvas::Canvas;
pub use png::bomb;

/// What to paint.
#[derive(Clone, Debug)]
pub struct Order {
    pub prompt: String,
    /// Counts repetitions of the same order: each gives another picture.
    pub variation: u32,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Pictures to change instead of starting from nothing, encoded.
    pub inputs: Vec<Bytes>,
    pub format: Format,
    /// A quarter of the detail at the same size: a rough answer, quickly.
    pub sketch: bool,
}

/// How to encode it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    Jpeg,
}

/// A painted picture.
#[derive(Clone, Debug)]
pub struct Picture {
    pub bytes: Bytes,
    /// A JPEG of at most 160 pixels.
    pub thumbnail: Bytes,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("an input picture cannot be decoded")]
    UnreadableInput,
    #[error("the picture cannot be encoded: {0}")]
    Encoding(#[from] image::ImageError),
}

/// Longest side that is painted in full; larger pictures are enlarged from it.
const FULL_DETAIL: u32 = 2816;
const THUMBNAIL: u32 = 160;
const JPEG_QUALITY: u8 = 90;
/// Limits for pictures sent in: pixels of a side, bytes of memory.
const MAX_SIDE: u32 = 12_000;
const MAX_MEMORY: u64 = 256 * 1024 * 1024;

impl Format {
    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }
}

impl Order {
    /// An unfinished idea on the way to this picture.
    pub(crate) fn draft(&self, n: u32) -> Self {
        Self { variation: self.variation.wrapping_add(n * 1000), sketch: true, ..self.clone() }
    }
}

/// Paints an order. Takes a core for a while: not for an async thread.
///
/// # Errors
/// When an input cannot be decoded within limits, or the result not be encoded.
pub fn paint(order: &Order) -> Result<Picture, Error> {
    let shrink = if order.sketch { 4 } else { order.width.max(order.height).div_ceil(FULL_DETAIL) };
    let (columns, rows) = ((order.width / shrink).max(1), (order.height / shrink).max(1));

    let mut brief = Brief::read(&order.prompt, order.variation, !order.inputs.is_empty());
    let grain = brief.rng.seed();
    let mut canvas = Canvas::new(columns, rows);
    let motif = brief.motif;
    motif.draw(&mut canvas, &mut brief);
    if !order.inputs.is_empty() {
        let sources: Vec<RgbImage> = order.inputs.iter().map(|input| decode(input)).collect::<Result<_, _>>()?;
        canvas = remix::remix(&sources, &canvas, &brief, brief::strength(&order.prompt));
    }

    let bytes = canvas.to_bytes(order.width as usize, order.height as usize, grain);
    let image = RgbImage::from_raw(order.width, order.height, bytes)
        .unwrap_or_else(|| RgbImage::new(order.width, order.height));
    let (wide, tall) = thumb(order.width, order.height);
    let small = imageops::thumbnail(&image, wide, tall);
    Ok(Picture { bytes: encode(&image, order.format, JPEG_QUALITY)?, thumbnail: encode(&small, Format::Jpeg, 80)? })
}

/// Width and height an encoded picture claims in its header.
pub fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?.into_dimensions().ok()
}

/// The MIME type the bytes themselves tell.
pub(crate) fn mime(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" }
}

fn decode(bytes: &[u8]) -> Result<RgbImage, Error> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| Error::UnreadableInput)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    reader.decode().map(|image| image.to_rgb8()).map_err(|_| Error::UnreadableInput)
}

fn thumb(columns: u32, rows: u32) -> (u32, u32) {
    let long = columns.max(rows);
    let side = |length: u32| (length * THUMBNAIL.min(long) / long).max(1);
    (side(columns), side(rows))
}

fn encode(image: &RgbImage, format: Format, quality: u8) -> Result<Bytes, Error> {
    let mut bytes = Vec::new();
    let (width, height) = image.dimensions();
    match format {
        Format::Png => PngEncoder::new(&mut bytes).write_image(image, width, height, ExtendedColorType::Rgb8)?,
        Format::Jpeg => {
            JpegEncoder::new_with_quality(&mut bytes, quality).write_image(
                image,
                width,
                height,
                ExtendedColorType::Rgb8,
            )?;
        }
    }
    Ok(bytes.into())
}
