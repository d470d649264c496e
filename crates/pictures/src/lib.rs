//! Pictures are believed only after they were decoded, under limits. A crate of its own, so that the pixel work is
//! optimised in development builds too.

use std::io::Cursor;

use bytes::Bytes;
use fast_image_resize::{PixelType, ResizeOptions, Resizer, images::Image as Canvas};
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits, RgbImage};
use img_parts::{ImageEXIF, ImageICC, jpeg::Jpeg, png::Png};

/// A file that a person gives.
pub const UPLOAD_MAX_BYTES: usize = 20 * 1024 * 1024;
/// A picture that a provider sends.
pub const OUTPUT_MAX_BYTES: usize = 32 * 1024 * 1024;
/// Width times height, read from the header before a pixel is decoded.
const MAX_PIXELS: u64 = 40_000_000;
/// What decoding may hold: 40 megapixels of 16-bit RGBA and the working copy.
const MAX_DECODED_BYTES: u64 = 400 * 1024 * 1024;
/// The longer side of a thumbnail.
const THUMB_SIDE: u32 = 640;
const THUMB_QUALITY: u8 = 80;
const REDRAWN_QUALITY: u8 = 92;

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
}

/// Checks what a provider sent and keeps its pixels as they are: only metadata and what trails the picture is cut off.
///
/// # Errors
/// Why the file is not taken.
pub fn examine(bytes: &Bytes) -> Result<Picture, Fault> {
    let decoded = decode(bytes, OUTPUT_MAX_BYTES)?;
    let bytes = stripped(bytes, decoded.format).ok_or(Fault::NotAPicture)?;
    decoded.picture(bytes)
}

/// Checks what a person gave and draws it anew, upright: no byte of the file itself is kept.
///
/// # Errors
/// Why the file is not taken.
pub fn redraw(bytes: &Bytes) -> Result<Picture, Fault> {
    let mut decoded = decode(bytes, UPLOAD_MAX_BYTES)?;
    let mut drawn = Cursor::new(Vec::new());
    let rgb = decoded.pixels.to_rgb8();
    let has_alpha = decoded.pixels.color().has_alpha();
    let written = match decoded.format {
        ImageFormat::Jpeg => encode_jpeg(&mut drawn, &rgb, REDRAWN_QUALITY),
        _ if has_alpha => DynamicImage::from(decoded.pixels.to_rgba8()).write_to(&mut drawn, ImageFormat::Png).is_ok(),
        _ => DynamicImage::from(rgb).write_to(&mut drawn, ImageFormat::Png).is_ok(),
    };
    if !written {
        return Err(Fault::NotAPicture);
    }
    if decoded.format != ImageFormat::Jpeg {
        decoded.format = ImageFormat::Png;
    }
    decoded.picture(drawn.into_inner().into())
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

struct Decoded {
    pixels: DynamicImage,
    format: ImageFormat,
}

impl Decoded {
    fn picture(self, bytes: Bytes) -> Result<Picture, Fault> {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        let mime = match self.format {
            ImageFormat::Jpeg => "image/jpeg",
            ImageFormat::WebP => "image/webp",
            _ => "image/png",
        };
        let thumbnail = thumbnail(&self.pixels).ok_or(Fault::NotAPicture)?;
        Ok(Picture { bytes, mime, width, height, thumbnail })
    }
}

fn decode(bytes: &Bytes, max_bytes: usize) -> Result<Decoded, Fault> {
    if bytes.len() > max_bytes {
        return Err(Fault::TooManyBytes);
    }
    let format = image::guess_format(bytes).map_err(|_| Fault::NotAPicture)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) {
        return Err(Fault::NotAPicture);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| Fault::NotAPicture)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Fault::TooManyPixels);
    }
    if width == 0 || height == 0 {
        return Err(Fault::NotAPicture);
    }
    let orientation = decoder.orientation().map_err(|_| Fault::NotAPicture)?;
    let mut pixels = DynamicImage::from_decoder(decoder).map_err(|_| Fault::NotAPicture)?;
    pixels.apply_orientation(orientation);
    Ok(Decoded { pixels, format })
}

/// The same picture without EXIF, colour profiles, comments and anything behind its end. Pixels are not touched.
fn stripped(bytes: &Bytes, format: ImageFormat) -> Option<Bytes> {
    /// What a PNG needs to show its pixels.
    const PNG_KEPT: [&[u8; 4]; 7] = [b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"sRGB", b"IDAT", b"IEND"];
    /// What a JPEG needs: everything but `APPn` above the JFIF header, and comments.
    const fn jpeg_kept(marker: u8) -> bool {
        !matches!(marker, 0xE1..=0xEF | 0xFE)
    }
    match format {
        ImageFormat::Png => {
            let mut png = Png::from_bytes(bytes.clone()).ok()?;
            png.chunks_mut().retain(|chunk| PNG_KEPT.contains(&&chunk.kind()));
            Some(png.encoder().bytes())
        }
        ImageFormat::Jpeg => {
            let mut jpeg = Jpeg::from_bytes(bytes.clone()).ok()?;
            let adobe = jpeg.segments().iter().any(|s| s.marker() == 0xEE && s.contents().starts_with(b"Adobe"));
            jpeg.segments_mut().retain(|s| jpeg_kept(s.marker()) || (adobe && s.marker() == 0xEE));
            Some(jpeg.encoder().bytes())
        }
        _ => {
            let mut webp = img_parts::webp::WebP::from_bytes(bytes.clone()).ok()?;
            webp.set_exif(None);
            webp.set_icc_profile(None);
            webp.remove_chunks_by_id(*b"XMP ");
            Some(webp.encoder().bytes())
        }
    }
}

fn thumbnail(pixels: &DynamicImage) -> Option<Bytes> {
    let rgb = pixels.to_rgb8();
    let longer = rgb.width().max(rgb.height());
    let shrink = |side: u32| (u64::from(side) * u64::from(THUMB_SIDE.min(longer)) / u64::from(longer)).max(1);
    let (width, height) = (u32::try_from(shrink(rgb.width())).ok()?, u32::try_from(shrink(rgb.height())).ok()?);
    let source = Canvas::from_vec_u8(rgb.width(), rgb.height(), rgb.into_raw(), PixelType::U8x3).ok()?;
    let mut small = Canvas::new(width, height, PixelType::U8x3);
    Resizer::new().resize(&source, &mut small, &ResizeOptions::default()).ok()?;
    let small = RgbImage::from_raw(width, height, small.into_vec())?;
    let mut jpeg = Cursor::new(Vec::new());
    encode_jpeg(&mut jpeg, &small, THUMB_QUALITY).then(|| jpeg.into_inner().into())
}

fn encode_jpeg(out: &mut Cursor<Vec<u8>>, rgb: &RgbImage, quality: u8) -> bool {
    image::codecs::jpeg::JpegEncoder::new_with_quality(out, quality)
        .write_image(rgb.as_raw(), rgb.width(), rgb.height(), ExtendedColorType::Rgb8)
        .is_ok()
}
