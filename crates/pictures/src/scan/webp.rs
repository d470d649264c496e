//! WebP: a RIFF with one picture in it, or several, of which the first counts.

use std::ops::Range;

use image::metadata::Orientation;

use super::{Kind, Part, Scan, keep, le32, lossless, orientation_of};
use crate::{Fault, Source, source::Window};

/// Where chunks lie, without their heads.
#[derive(Default)]
struct Chunks {
    lossy: Option<Range<u64>>,
    lossless: Option<Range<u64>>,
    alpha: Option<Range<u64>>,
    orientation: Option<Orientation>,
}

pub(super) fn scan(source: &Source, file: &mut Window<'_>) -> Result<Scan, Fault> {
    let found = Chunks::find(file).ok_or(Fault::NotAPicture)?;
    let orientation = found.orientation.unwrap_or(Orientation::NoTransforms);
    let scan = match (found.lossy, found.lossless) {
        (Some(lossy), None) => plain(source, file, &lossy, found.alpha, orientation),
        (None, Some(packed)) => losslessly(source, file, &packed, orientation),
        _ => None,
    };
    scan.ok_or(Fault::NotAPicture)
}

impl Chunks {
    fn find(file: &mut Window<'_>) -> Option<Self> {
        let end = 8 + u64::from(le32(file.bytes(4, 4)?));
        if end > file.end() {
            return None;
        }
        let mut found = Self::default();
        found.walk(file, 12..end, true)?;
        Some(found)
    }

    fn walk(&mut self, file: &mut Window<'_>, within: Range<u64>, outermost: bool) -> Option<()> {
        let mut at = within.start;
        while at + 8 <= within.end {
            let head = file.bytes(at, 8)?;
            let (name, length) = ([head[0], head[1], head[2], head[3]], u64::from(le32(&head[4..])));
            let content = at + 8..at + 8 + length;
            if content.end > within.end {
                return None;
            }
            at = content.end + length % 2;
            let is_empty = self.lossy.is_none() && self.lossless.is_none();
            match &name {
                b"VP8 " if is_empty => self.lossy = Some(content),
                b"VP8L" if is_empty => self.lossless = Some(content),
                b"ALPH" if is_empty => self.alpha = Some(content),
                b"ANMF" if is_empty && outermost => self.walk(file, content.start + 16..content.end, false)?,
                b"EXIF" if self.orientation.is_none() => {
                    // Some programs put the prefix of a JPEG in front.
                    let prefix = if file.bytes(content.start, 6) == Some(b"Exif\0\0") { 6 } else { 0 };
                    self.orientation = orientation_of(file, content.start + prefix..content.end);
                }
                _ => {}
            }
        }
        Some(())
    }
}

fn plain(
    source: &Source,
    file: &mut Window<'_>,
    lossy: &Range<u64>,
    alpha: Option<Range<u64>>,
    orientation: Orientation,
) -> Option<Scan> {
    let head = file.bytes(lossy.start, 10)?;
    if head[0] & 1 != 0 || head[3..6] != [0x9D, 0x01, 0x2A] {
        return None;
    }
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    let (width, height) = (side(head[6], head[7]), side(head[8], head[9]));
    let pixels = u64::from(width) * u64::from(height);
    // The planes of a lossy picture, in whole blocks.
    let mut beside = (u64::from(width) + 16) * (u64::from(height) + 16) * 3 / 2 + 1024 * 1024;
    let mut chunks = Vec::new();
    if let Some(alpha) = &alpha {
        beside += pixels;
        if file.byte(alpha.start)? & 3 == 1 {
            let (side, other) = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
            let tables = lossless::tables(source, alpha.start + 1..alpha.end, Some((side, other)))?;
            beside += 5 * pixels + tables.bytes;
        }
        chunks.push((*b"ALPH", alpha.clone()));
    }
    chunks.push((*b"VP8 ", lossy.clone()));
    let parts = container(&chunks, alpha.is_some().then_some((width, height)))?;
    let channels = 3 + u8::from(alpha.is_some());
    Some(Scan { kind: Kind::WebpLossy, width, height, channels, orientation, parts, beside })
}

fn losslessly(source: &Source, file: &mut Window<'_>, packed: &Range<u64>, orientation: Orientation) -> Option<Scan> {
    let head = file.bytes(packed.start, 5)?;
    let fields = le32(&head[1..]);
    if head[0] != 0x2F || fields >> 29 != 0 {
        return None;
    }
    let (width, height) = ((fields & 0x3FFF) + 1, (fields >> 14 & 0x3FFF) + 1);
    let has_alpha = fields >> 28 & 1 == 1;
    let tables = lossless::tables(source, packed.clone(), None)?;
    // What its transforms hold is at most as much as one channel.
    let beside = u64::from(width) * u64::from(height) + tables.bytes + 1024 * 1024;
    let parts = container(&[(*b"VP8L", packed.clone())], None)?;
    let channels = 3 + u8::from(has_alpha);
    Some(Scan { kind: Kind::WebpLossless, width, height, channels, orientation, parts, beside })
}

/// A RIFF of only these chunks; with a size, one that says it has alpha.
fn container(chunks: &[([u8; 4], Range<u64>)], extended: Option<(u32, u32)>) -> Option<Vec<Part>> {
    let padded = |range: &Range<u64>| (range.end - range.start).next_multiple_of(2);
    let content: u64 = chunks.iter().map(|(_, range)| 8 + padded(range)).sum();
    let head_length = if extended.is_some() { 18 } else { 0 };
    let mut ours = b"RIFF".to_vec();
    ours.extend(u32::try_from(4 + head_length + content).ok()?.to_le_bytes());
    ours.extend(b"WEBP");
    if let Some((width, height)) = extended {
        ours.extend(b"VP8X\x0A\0\0\0\x10\0\0\0");
        ours.extend(&(width.checked_sub(1)?).to_le_bytes()[..3]);
        ours.extend(&(height.checked_sub(1)?).to_le_bytes()[..3]);
    }
    let mut parts = Vec::new();
    for (name, range) in chunks {
        ours.extend(name);
        ours.extend(u32::try_from(range.end - range.start).ok()?.to_le_bytes());
        parts.push(Part::Ours(std::mem::take(&mut ours)));
        keep(&mut parts, range.clone());
        if padded(range) > range.end - range.start {
            ours.push(0);
        }
    }
    parts.push(Part::Ours(ours));
    Some(parts)
}
