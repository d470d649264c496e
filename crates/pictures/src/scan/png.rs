//! PNG: a row of chunks, of which few are needed.

use image::metadata::Orientation;

use super::{Kind, Scan, be32, keep, orientation_of};
use crate::{Fault, source::Window};

const HEAD: u64 = 8;
/// Length, name and checksum of a chunk.
const FRAME: u64 = 12;

/// `None`: it ends before it should, or is not in order.
pub(super) fn scan(file: &mut Window<'_>) -> Result<Scan, Fault> {
    walk(file).ok_or(Fault::NotAPicture)
}

fn walk(file: &mut Window<'_>) -> Option<Scan> {
    let mut parts = Vec::new();
    keep(&mut parts, 0..HEAD);
    let mut orientation = None;
    let mut has_transparency = false;
    let mut header = None;
    let mut at = HEAD;
    loop {
        let head = file.bytes(at, 8)?;
        let (length, name) = (u64::from(be32(head)), [head[4], head[5], head[6], head[7]]);
        let end = at + FRAME + length;
        if end > file.end() {
            return None;
        }
        let is_kept = match &name {
            b"IHDR" if header.is_none() && length == 13 => {
                let fields = file.bytes(at + 8, 13)?;
                header = Some((be32(fields), be32(&fields[4..]), fields[9]));
                true
            }
            b"IHDR" => return None,
            _ if header.is_none() => return None,
            b"IDAT" | b"IEND" => true,
            b"PLTE" => length <= 768,
            b"tRNS" => {
                has_transparency = true;
                length <= 256
            }
            b"gAMA" => length == 4,
            b"sRGB" => length == 1,
            b"eXIf" => {
                orientation = orientation.or_else(|| orientation_of(file, at + 8..at + 8 + length));
                false
            }
            _ => false,
        };
        if is_kept {
            keep(&mut parts, at..end);
        }
        if &name == b"IEND" {
            break;
        }
        at = end;
    }
    let (width, height, colours) = header?;
    let channels = match colours {
        0 => 1 + u8::from(has_transparency),
        2 | 3 => 3 + u8::from(has_transparency),
        4 => 2,
        6 => 4,
        _ => return None,
    };
    // Some rows as they are packed, up to eight bytes a pixel.
    let beside = u64::from(width) * 8 * 4 + 1024 * 1024;
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Some(Scan { kind: Kind::Png, width, height, channels, orientation, parts, beside })
}
