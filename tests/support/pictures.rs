//! Files that people upload, good and bad.

use std::io::Cursor;

use bytes::Bytes;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use img_parts::{
    ImageEXIF,
    jpeg::Jpeg,
    png::{Png, PngChunk},
};

/// In the metadata of `sideways_jpeg`: a picture that still has it tells where its maker lives.
pub const PLACE: &[u8] = b"at home in Lisbon";

/// No two pixels of a small one are alike, so that a lost or moved pixel shows.
pub fn drawing(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let byte = |n: u32| u8::try_from(n % 256).unwrap();
        Rgb([byte(x * 3), byte(y * 5), byte(x + y * 7)])
    })
}

pub fn png(picture: &RgbImage) -> Bytes {
    let mut out = Cursor::new(Vec::new());
    DynamicImage::from(picture.clone()).write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner().into()
}

/// As a telephone held upright takes it: the sensor's rows lie on their side, EXIF says how to turn them, and where it
/// was. Upright it is 40 × 80, red above blue.
pub fn sideways_jpeg() -> Bytes {
    let lying = RgbImage::from_fn(80, 40, |x, _| if x < 40 { Rgb([230, 20, 20]) } else { Rgb([20, 20, 230]) });
    let mut out = Cursor::new(Vec::new());
    DynamicImage::from(lying).write_to(&mut out, ImageFormat::Jpeg).unwrap();
    let mut jpeg = Jpeg::from_bytes(out.into_inner().into()).unwrap();
    jpeg.set_exif(Some(exif(6)));
    jpeg.encoder().bytes()
}

/// Little-endian TIFF: an orientation (6: turn a quarter clockwise) and a GPS directory with one text.
pub fn exif(orientation: u32) -> Bytes {
    let mut tiff = b"II*\0".to_vec();
    let entry = |parts: [&[u8]; 4]| parts.concat();
    let length = u32::try_from(PLACE.len()).unwrap();
    let directories = [
        entry([&[0x12, 0x01], &[3, 0], &[1, 0, 0, 0], &orientation.to_le_bytes()]),
        entry([&[0x25, 0x88], &[4, 0], &[1, 0, 0, 0], &[38, 0, 0, 0]]),
    ];
    tiff.extend(8_u32.to_le_bytes());
    tiff.extend(2_u16.to_le_bytes());
    tiff.extend(directories.concat());
    tiff.extend(0_u32.to_le_bytes());
    assert_eq!(tiff.len(), 38);
    tiff.extend(1_u16.to_le_bytes());
    tiff.extend(entry([&[0x1b, 0x00], &[7, 0], &length.to_le_bytes(), &56_u32.to_le_bytes()]));
    tiff.extend(0_u32.to_le_bytes());
    assert_eq!(tiff.len(), 56);
    tiff.extend(PLACE);
    tiff.into()
}

/// A few bytes whose header claims 10000 × 5000 pixels.
pub fn fifty_megapixels() -> Bytes {
    let mut png = Png::from_bytes(png(&drawing(1, 1))).unwrap();
    let mut header = png.chunks()[0].contents().to_vec();
    header[..4].copy_from_slice(&10_000_u32.to_be_bytes());
    header[4..8].copy_from_slice(&5_000_u32.to_be_bytes());
    png.chunks_mut()[0] = PngChunk::new(*b"IHDR", header.into());
    png.encoder().bytes()
}
