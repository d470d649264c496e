//! Whatever is done to a picture, reading it ends: with a picture of our own, or with a reason. `PICTURES_CASES=1000000`
//! makes the search long.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops when it does not get what it wants")]

use std::{io::Cursor, sync::LazyLock};

use bytes::Bytes;
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use pictures::{Fault, MEMORY, Picture, REDRAWN_MAX_BYTES, REDRAWN_SIDE, Source, UPLOAD_MAX_BYTES};
use proptest::{prelude::*, sample::Index};

static GOOD: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let colours = RgbImage::from_fn(37, 23, |x, y| image::Rgb([(x * 7) as u8, (y * 11) as u8, (x * y) as u8]));
    let clear = RgbaImage::from_fn(37, 23, |x, y| image::Rgba([(x * 7) as u8, 9, (y * 3) as u8, (x * 6) as u8]));
    let mut good = Vec::new();
    for picture in [DynamicImage::from(colours), DynamicImage::from(clear)] {
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg] {
            let picture =
                if format == ImageFormat::Jpeg { DynamicImage::from(picture.to_luma8()) } else { picture.clone() };
            let mut file = Cursor::new(Vec::new());
            picture.write_to(&mut file, format).unwrap();
            good.push(file.into_inner().into());
        }
    }
    good
});

/// What happens to a file on its way.
#[derive(Debug, Clone)]
enum Harm {
    Set(Index, u8),
    Cut(Index),
    Remove(Index, usize),
    Repeat(Index, usize),
    Insert(Index, Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        1 => any::<Index>().prop_map(Harm::Cut),
        1 => (any::<Index>(), 1..40_usize).prop_map(|(at, count)| Harm::Remove(at, count)),
        1 => (any::<Index>(), 1..200_usize).prop_map(|(at, count)| Harm::Repeat(at, count)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
    ]
}

fn harmed(file: &Bytes, harms: Vec<Harm>) -> Bytes {
    let mut bytes = file.to_vec();
    for harm in harms {
        if bytes.is_empty() {
            break;
        }
        match harm {
            Harm::Set(at, byte) => *at.get_mut(&mut bytes) = byte,
            Harm::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Harm::Remove(at, count) => {
                let start = at.index(bytes.len());
                bytes.drain(start..(start + count).min(bytes.len()));
            }
            Harm::Repeat(at, count) => {
                let start = at.index(bytes.len());
                let part = bytes[start..(start + count).min(bytes.len())].to_vec();
                bytes.splice(start..start, part);
            }
            Harm::Insert(at, part) => {
                let start = at.index(bytes.len());
                bytes.splice(start..start, part);
            }
        }
    }
    bytes.into()
}

fn read(bytes: &Bytes, how: fn(&Source, &pictures::Scan) -> Result<Picture, Fault>) -> Result<Picture, Fault> {
    let source = Source::from(bytes.clone());
    let scan = pictures::scan(&source, UPLOAD_MAX_BYTES)?;
    assert!(scan.memory() <= MEMORY);
    how(&source, &scan)
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PICTURES_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// P5: never a panic, never more than the limits; what is drawn anew can be read, and drawing it once more changes
    /// nothing but what JPEG loses.
    #[test]
    fn reading_always_ends(which in any::<Index>(), harms in prop::collection::vec(harm(), 0..6)) {
        let file = harmed(which.get(&GOOD), harms);
        if let Ok(kept) = read(&file, pictures::examine) {
            let again = read(&kept.bytes, pictures::examine).unwrap();
            prop_assert_eq!(&again.bytes, &kept.bytes, "cleaning twice is cleaning once");
        }
        let Ok(drawn) = read(&file, pictures::redraw) else { return Ok(()) };
        prop_assert!(drawn.width.max(drawn.height) <= REDRAWN_SIDE && drawn.bytes.len() <= REDRAWN_MAX_BYTES);
        let shown = image::load_from_memory(&drawn.bytes).unwrap();
        prop_assert_eq!((shown.width(), shown.height()), (drawn.width, drawn.height));
        let again = read(&drawn.bytes, pictures::redraw).unwrap();
        prop_assert_eq!((again.width, again.height, again.mime), (drawn.width, drawn.height, drawn.mime));
        if drawn.mime == "image/png" {
            prop_assert_eq!(&again.bytes, &drawn.bytes);
        }
    }
}

/// A large picture shrinks strip by strip: no seam shows between two strips.
#[test]
fn strips_leave_no_seam() {
    let slope = RgbImage::from_fn(40, 6_000, |_, y| image::Rgb([(y * 255 / 6_000) as u8; 3]));
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(slope).write_to(&mut file, ImageFormat::Png).unwrap();
    let drawn = read(&file.into_inner().into(), pictures::redraw).unwrap();
    assert_eq!((drawn.width, drawn.height), (27, 4_096));
    let shown = image::load_from_memory(&drawn.bytes).unwrap().to_rgb8();
    for y in 0..4_096 {
        let (is, should) = (i32::from(shown.get_pixel(13, y)[0]), i32::try_from(y * 255 / 4_096).unwrap());
        assert!((is - should).abs() <= 1, "row {y}: {is} instead of {should}");
    }
}
