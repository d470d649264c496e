//! From a clean file to pixels of eight bits, in one buffer.

use std::io::Cursor;

use fast_image_resize::{FilterType, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image as Canvas};
use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage, metadata::Orientation};
use png::Transformations;
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use crate::{
    Fault,
    scan::{Kind, Scan},
};

/// What the PNG decoder may hold beside the pixels.
const PNG_ROWS: usize = 16 * 1024 * 1024;
/// Rows that are made at once when a picture shrinks: its scratch stays small.
const STRIP: u32 = 256;

/// Grey, grey with alpha, RGB or RGBA.
pub(crate) struct Pixels {
    pub data: Vec<u8>,
    pub channels: u8,
    pub width: u32,
    pub height: u32,
}

/// Decodes what the scan found. What the two disagree on is not a picture.
pub(crate) fn decode(scan: &Scan, clean: &[u8]) -> Result<Pixels, Fault> {
    let data = match scan.kind {
        Kind::Png => png(scan, clean),
        Kind::Jpeg => jpeg(scan, clean),
        Kind::WebpLossy => webp(scan, clean, scan.channels),
        Kind::WebpLossless => lossless(scan, clean),
    };
    let pixels = Pixels {
        data: data.ok_or(Fault::NotAPicture)?,
        channels: scan.channels,
        width: scan.width,
        height: scan.height,
    };
    if pixels.data.len() == room(scan, scan.channels) { Ok(pixels) } else { Err(Fault::NotAPicture) }
}

fn room(scan: &Scan, channels: u8) -> usize {
    usize::try_from(scan.pixels()).unwrap_or(usize::MAX).saturating_mul(channels.into())
}

fn png(scan: &Scan, clean: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(clean), png::Limits { bytes: PNG_ROWS });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().ok()?;
    if reader.output_buffer_size()? != room(scan, scan.channels) {
        return None;
    }
    let mut data = vec![0; room(scan, scan.channels)];
    reader.next_frame(&mut data).ok()?;
    Some(data)
}

fn jpeg(scan: &Scan, clean: &[u8]) -> Option<Vec<u8>> {
    let colours = if scan.channels == 1 { ColorSpace::Luma } else { ColorSpace::RGB };
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(colours);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(clean), options);
    decoder.decode_headers().ok()?;
    let size = (usize::try_from(scan.width).ok()?, usize::try_from(scan.height).ok()?);
    if decoder.dimensions()? != size || decoder.output_buffer_size()? != room(scan, scan.channels) {
        return None;
    }
    let mut data = vec![0; room(scan, scan.channels)];
    decoder.decode_into(&mut data).ok()?;
    Some(data)
}

fn webp(scan: &Scan, clean: &[u8], channels: u8) -> Option<Vec<u8>> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(clean)).ok()?;
    if decoder.dimensions() != (scan.width, scan.height) || decoder.output_buffer_size()? != room(scan, channels) {
        return None;
    }
    let mut data = vec![0; room(scan, channels)];
    decoder.read_image(&mut data).ok()?;
    Some(data)
}

/// A lossless picture is packed with alpha in any case. Told that it counts, the decoder works in our buffer instead of
/// one more of its own; where it does not count, it is squeezed out afterwards.
fn lossless(scan: &Scan, clean: &[u8]) -> Option<Vec<u8>> {
    /// Behind the heads of the RIFF and of its chunk: a mark, two sides of 14 bits, and then whether alpha counts.
    const ALPHA_AT: usize = 12 + 8 + 4;
    let mut with_alpha = clean.to_vec();
    *with_alpha.get_mut(ALPHA_AT)? |= 0x10;
    let mut data = webp(scan, &with_alpha, 4)?;
    if scan.channels == 3 {
        for pixel in 0..data.len() / 4 {
            data.copy_within(pixel * 4..pixel * 4 + 3, pixel * 3);
        }
        data.truncate(data.len() / 4 * 3);
    }
    Some(data)
}

impl Pixels {
    pub const fn has_alpha(&self) -> bool {
        self.channels.is_multiple_of(2)
    }

    /// Whether nothing shines through, whatever the packing says.
    pub fn is_opaque(&self) -> bool {
        let channels = usize::from(self.channels);
        !self.has_alpha() || self.data.chunks_exact(channels).all(|pixel| pixel.last() == Some(&255))
    }

    /// Shrinks until the longer side fits; never grows. `None`: there is nothing to shrink.
    pub fn fit(&mut self, longest: u32) -> Option<()> {
        let longer = self.width.max(self.height);
        if longer <= longest {
            return Some(());
        }
        let shrunk = |side: u32| u32::try_from((u64::from(side) * u64::from(longest) / u64::from(longer)).max(1)).ok();
        let (width, height) = (shrunk(self.width)?, shrunk(self.height)?);
        let kind = match self.channels {
            1 => PixelType::U8,
            2 => PixelType::U8x2,
            3 => PixelType::U8x3,
            _ => PixelType::U8x4,
        };
        let mut source = Canvas::from_vec_u8(self.width, self.height, std::mem::take(&mut self.data), kind).ok()?;
        let alpha = MulDiv::new();
        if self.has_alpha() {
            alpha.multiply_alpha_inplace(&mut source).ok()?;
        }
        let step = f64::from(self.height) / f64::from(height);
        let mut resizer = Resizer::new();
        let mut data = Vec::with_capacity(
            usize::try_from(width).ok()? * usize::try_from(height).ok()? * usize::from(self.channels),
        );
        for top in (0..height).step_by(usize::try_from(STRIP).ok()?) {
            let rows = STRIP.min(height - top);
            let mut strip = Canvas::new(width, rows, kind);
            let options = ResizeOptions::new()
                .resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom))
                .crop(
                    0.0,
                    f64::from(top) * step,
                    f64::from(self.width),
                    (f64::from(rows) * step).min(f64::from(self.height) - f64::from(top) * step),
                )
                .use_alpha(false);
            resizer.resize(&source, &mut strip, &options).ok()?;
            if self.has_alpha() {
                alpha.divide_alpha_inplace(&mut strip).ok()?;
            }
            data.extend_from_slice(strip.buffer());
        }
        *self = Self { data, width, height, channels: self.channels };
        Some(())
    }

    /// As the camera was held.
    pub fn turn(&mut self, orientation: Orientation) -> Option<()> {
        if orientation == Orientation::NoTransforms {
            return Some(());
        }
        let (width, height, data) = (self.width, self.height, std::mem::take(&mut self.data));
        let mut picture = match self.channels {
            1 => DynamicImage::from(GrayImage::from_raw(width, height, data)?),
            2 => DynamicImage::from(GrayAlphaImage::from_raw(width, height, data)?),
            3 => DynamicImage::from(RgbImage::from_raw(width, height, data)?),
            _ => DynamicImage::from(RgbaImage::from_raw(width, height, data)?),
        };
        picture.apply_orientation(orientation);
        (self.width, self.height) = (picture.width(), picture.height());
        self.data = picture.into_bytes();
        Some(())
    }

    /// On white, without alpha.
    pub fn flatten(&mut self) {
        if !self.has_alpha() {
            return;
        }
        let (from, to) = (usize::from(self.channels), usize::from(self.channels) - 1);
        for pixel in 0..self.data.len() / from {
            let alpha = u32::from(self.data[pixel * from + to]);
            for channel in 0..to {
                let colour = u32::from(self.data[pixel * from + channel]);
                let mixed = (colour * alpha + 255 * (255 - alpha) + 127) / 255;
                self.data[pixel * to + channel] = u8::try_from(mixed).unwrap_or(u8::MAX);
            }
        }
        self.data.truncate(self.data.len() / from * to);
        self.channels -= 1;
    }
}
