//! Pictures of the vendor.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder};

use crate::Result;

/// A JPEG of about one kilobyte.
pub fn tiny() -> Result<Bytes> {
    picture(40, 75)
}

/// A JPEG of 1024 pixels with as much in it as a photograph has.
pub fn real() -> Result<Bytes> {
    picture(1024, 92)
}

/// The vendor's answer with a picture in it.
pub fn answer(picture: &[u8]) -> Bytes {
    let data = STANDARD.encode(picture);
    let body = format!(
        r#"{{"candidates": [{{"content": {{"parts": [{{"inlineData": {{"mimeType": "image/jpeg", "data": "{data}"}}}}], "role": "model"}}, "finishReason": "STOP", "index": 0}}], "usageMetadata": {{"promptTokenCount": 9, "totalTokenCount": 1129}}, "modelVersion": "gemini-nano-banana-2.1", "responseId": "bench"}}"#
    );
    body.into()
}

fn picture(side: u32, quality: u8) -> Result<Bytes> {
    let mut seed = 1_u32;
    let mut pixels = Vec::new();
    for at in 0..side * side {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (x, y, grain) = (at % side, at / side, (seed >> 24) / 6);
        for light in [x * 200 / side, y * 200 / side, (x + y) * 100 / side] {
            pixels.push(u8::try_from((light + grain).min(255))?);
        }
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).write_image(&pixels, side, side, ExtendedColorType::Rgb8)?;
    Ok(bytes.into())
}
