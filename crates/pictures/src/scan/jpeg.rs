//! JPEG: segments up to the end of the picture. Whatever follows (a second picture, another file) is left behind.

use image::metadata::Orientation;

use super::{Kind, Part, Scan, keep, orientation_of};
use crate::{Fault, source::Window};

/// Scans times megapixels: what a progressive picture may cost to decode. An ordinary one has about ten scans.
const MAX_WORK: u64 = 400_000_000;
const MAX_SCANS: u64 = 100;
/// Segments with tables; each is expanded when it is read.
const MAX_TABLES: usize = 1_000;

/// As every program writes it, without the small picture that may follow.
const JFIF: [u8; 18] = *b"\xFF\xE0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";

#[derive(Default)]
struct Walk {
    parts: Vec<Part>,
    frame: Option<Frame>,
    orientation: Option<Orientation>,
    tables: usize,
    scans: u64,
    has_whole_scan: bool,
    has_jfif: bool,
    has_adobe: bool,
}

/// What SOF says.
struct Frame {
    is_progressive: bool,
    width: u32,
    height: u32,
    /// Horizontal and vertical sampling of each component.
    sampling: Vec<(u64, u64)>,
}

pub(super) fn scan(file: &mut Window<'_>) -> Result<Scan, Fault> {
    let mut walk = Walk::default();
    walk.go(file).ok_or(Fault::NotAPicture)?;
    let frame = walk.frame.ok_or(Fault::NotAPicture)?;
    let (width, height) = (frame.width, frame.height);
    let coefficients = if frame.is_progressive || !walk.has_whole_scan { frame.coefficients() } else { 0 };
    let work = walk.scans * u64::from(width) * u64::from(height);
    if walk.tables > MAX_TABLES || walk.scans > MAX_SCANS || (walk.scans > 4 && work > MAX_WORK) {
        return Err(Fault::Unwieldy);
    }
    Ok(Scan {
        kind: Kind::Jpeg,
        width,
        height,
        channels: if frame.sampling.len() == 1 { 1 } else { 3 },
        orientation: walk.orientation.unwrap_or(Orientation::NoTransforms),
        parts: walk.parts,
        // And some rows of each component, before they become pixels.
        beside: coefficients + u64::from(width) * 4 * 64 + 1024 * 1024,
    })
}

impl Walk {
    /// `None`: it ends before it should, or is of a sort that nobody uses.
    fn go(&mut self, file: &mut Window<'_>) -> Option<()> {
        keep(&mut self.parts, 0..2);
        let mut at = 2;
        loop {
            let (start, marker) = next_marker(file, at)?;
            at = start + 2;
            match marker {
                0xD9 => {
                    keep(&mut self.parts, start..at);
                    return (self.scans > 0).then_some(());
                }
                0x01 | 0xD0..=0xD7 => continue,
                0xD8 => return None,
                _ => {}
            }
            let length = file.bytes(at, 2)?;
            let length = u64::from(u16::from_be_bytes([length[0], length[1]]));
            let end = at + length;
            if length < 2 || end > file.end() {
                return None;
            }
            let content = at + 2..end;
            match marker {
                0xC0..=0xC2 if self.frame.is_none() => {
                    self.frame =
                        Some(Frame::read(file.bytes(content.start, usize::try_from(length).ok()? - 2)?, marker)?);
                    keep(&mut self.parts, start..end);
                }
                // Twice, or a sort without a decoder: lossless, hierarchical, arithmetic; or of a height told later.
                0xC0..=0xC3 | 0xC5..=0xCF | 0xDC | 0xDE | 0xDF => return None,
                0xC4 | 0xDB => {
                    self.tables += 1;
                    keep(&mut self.parts, start..end);
                }
                0xDD => keep(&mut self.parts, start..end),
                0xDA => {
                    self.scans += 1;
                    let components = usize::from(file.byte(content.start)?);
                    self.has_whole_scan |= self.scans == 1 && components == self.frame.as_ref()?.sampling.len();
                    let (after, _) = end_of_scan(file, end)?;
                    keep(&mut self.parts, start..after);
                    at = after;
                    continue;
                }
                0xE0 if !self.has_jfif && file.bytes(content.start, 5) == Some(b"JFIF\0") => {
                    self.has_jfif = true;
                    // A usual one stays as it is; another is said anew.
                    match length {
                        16 => keep(&mut self.parts, start..end),
                        _ => self.parts.push(Part::Ours(JFIF.into())),
                    }
                }
                0xE1 if self.orientation.is_none() && file.bytes(content.start, 6) == Some(b"Exif\0\0") => {
                    self.orientation = orientation_of(file, content.start + 6..content.end);
                }
                // Says how colours are meant; nothing else of it is kept.
                0xEE if !self.has_adobe && length >= 14 && file.bytes(content.start, 5) == Some(b"Adobe") => {
                    self.has_adobe = true;
                    match length {
                        14 => keep(&mut self.parts, start..end),
                        _ => {
                            let said = file.bytes(content.start, 12)?;
                            self.parts.push(Part::Ours([b"\xFF\xEE\x00\x0E", said].concat()));
                        }
                    }
                }
                _ => {}
            }
            at = end;
        }
    }
}

impl Frame {
    fn read(content: &[u8], marker: u8) -> Option<Self> {
        let [8, h1, h0, w1, w0, count @ 1..=4, components @ ..] = content else { return None };
        let sampling: Vec<_> = components
            .chunks_exact(3)
            .take((*count).into())
            .map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15)))
            .collect();
        let is_sane = sampling.len() == usize::from(*count)
            && sampling.iter().all(|(h, v)| (1..=4).contains(h) && (1..=4).contains(v));
        is_sane.then(|| Self {
            is_progressive: marker == 0xC2,
            width: u16::from_be_bytes([*w1, *w0]).into(),
            height: u16::from_be_bytes([*h1, *h0]).into(),
            sampling,
        })
    }

    /// Bytes of all coefficients, which a picture in several scans holds until the last.
    fn coefficients(&self) -> u64 {
        let most = |one: fn(&(u64, u64)) -> u64| self.sampling.iter().map(one).max().unwrap_or(1);
        let columns = u64::from(self.width).div_ceil(8 * most(|s| s.0));
        let rows = u64::from(self.height).div_ceil(8 * most(|s| s.1));
        self.sampling.iter().map(|(h, v)| h * v * columns * rows * 64 * 2).sum()
    }
}

/// The next marker and where it begins. Some programs leave filling in between.
fn next_marker(file: &mut Window<'_>, mut at: u64) -> Option<(u64, u8)> {
    loop {
        let seen = file.from(at)?;
        match seen.iter().position(|byte| *byte == 0xFF) {
            None => at += seen.len() as u64,
            Some(found) => {
                at += found as u64;
                match file.byte(at + 1)? {
                    0xFF => at += 1,
                    0 => at += 2,
                    marker => return Some((at, marker)),
                }
            }
        }
    }
}

/// Behind the packed pixels: the first marker that is not part of them.
fn end_of_scan(file: &mut Window<'_>, mut at: u64) -> Option<(u64, u8)> {
    loop {
        let (start, marker) = next_marker(file, at)?;
        if !(0xD0..=0xD7).contains(&marker) {
            return Some((start, marker));
        }
        at = start + 2;
    }
}
