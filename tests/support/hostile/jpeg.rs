//! JPEG, segment by segment.

use std::io::Cursor;

use bytes::Bytes;
use image::{DynamicImage, ImageFormat, imageops};

use super::{Fate, File, SIDE, drawing, places, xmp};

/// A code with one symbol of one bit: enough for pictures in which nothing happens.
const NOTHING_IN_DC: [u8; 18] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

pub fn good() -> Bytes {
    encoded(&DynamicImage::from(drawing(SIDE, SIDE)))
}

fn encoded(picture: &DynamicImage) -> Bytes {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, ImageFormat::Jpeg).unwrap();
    out.into_inner().into()
}

/// A frame in which every block is empty.
#[derive(Clone, Copy)]
struct Empty {
    /// 0xC0 baseline, 0xC2 progressive.
    sort: u8,
    width: u16,
    height: u16,
    components: u8,
    /// Sampling of the first component, as it is written; the others have 1 by 1.
    sampling: u8,
    /// Scans after the first, in a progressive one.
    further: usize,
}

impl Empty {
    const fn progressive(width: u16, height: u16, sampling: u8, further: usize) -> Self {
        Self { sort: 0xC2, width, height, components: 3, sampling, further }
    }

    fn file(self) -> Vec<u8> {
        let mut frame = vec![8];
        frame.extend([self.height.to_be_bytes(), self.width.to_be_bytes()].concat());
        frame.push(self.components);
        for component in 1..=self.components {
            frame.extend([component, if component == 1 { self.sampling } else { 0x11 }, 0]);
        }
        // A run of empty blocks, 0xE0: 15 bits say how many.
        let runs = [&[0x10, 1][..], &[0; 15], &[0xE0]].concat();
        let table = |class: u8, rest: &[u8]| segment(0xC4, &[&[class], rest].concat());
        let mut file = [
            b"\xFF\xD8".to_vec(),
            segment(0xDB, &[&[0][..], &[1; 64]].concat()),
            segment(self.sort, &frame),
            table(0, &NOTHING_IN_DC[..17]),
            segment(0xC4, &runs),
        ]
        .concat();
        let (h, v) = (usize::from(self.sampling >> 4), usize::from(self.sampling & 15));
        let blocks = usize::from(self.width).div_ceil(8 * h) * usize::from(self.height).div_ceil(8 * v);
        let in_mcu = h * v + usize::from(self.components) - 1;
        let each: Vec<u8> = (1..=self.components).flat_map(|component| [component, 0]).collect();
        let last = if self.sort == 0xC2 { 0 } else { 63 };
        file.extend(segment(0xDA, &[&[self.components], each.as_slice(), &[0, last, 0]].concat()));
        file.extend(vec![0; (blocks * in_mcu).div_ceil(8) + 1]);
        for scan in 0..self.further {
            let component = u8::try_from(scan % 3 + 1).unwrap();
            file.extend(segment(0xDA, &[1, component, 0, 1, 63, 0]));
            let runs = usize::from(self.width).div_ceil(8) * usize::from(self.height).div_ceil(8) / 32_767 + 1;
            // Each run as long as it can be; a byte of ones is followed by a zero that does not count.
            let mut bits = vec![false];
            bits.extend(std::iter::repeat_n([vec![true; 14], vec![false]].concat(), runs).flatten());
            for byte in bits.chunks(8) {
                let byte = byte.iter().fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit));
                file.push(byte);
                if byte == 0xFF {
                    file.push(0);
                }
            }
        }
        [file, b"\xFF\xD9".to_vec()].concat()
    }
}

pub fn bombs() -> Vec<File> {
    let side = Fate::Taken(4096, 4096);
    vec![
        File::new("40 megapixels in ten passes", Empty::progressive(6_300, 6_300, 0x22, 9).file(), side),
        File::new("26 megapixels in ten fine passes", Empty::progressive(5_100, 5_100, 0x11, 9).file(), side),
    ]
}

pub fn files() -> Vec<File> {
    let mut files = bombs();
    files.extend(metadata());
    files.extend(frames());
    files.extend(bloated());
    files
}

fn metadata() -> Vec<File> {
    let taken = Fate::Taken(SIDE, SIDE);
    let with = |what: String, segments: &[Vec<u8>]| File::new(what, between(segments), taken);
    let mut files: Vec<_> = places()
        .map(|(turned, exif)| {
            with(format!("jpeg turned {turned} at home"), &[segment(0xE1, &[b"Exif\0\0", exif.as_ref()].concat())])
        })
        .collect();
    let small = good();
    let jfxx = [b"JFXX\0\x10", small.as_ref()].concat();
    let mut with_thumbnail = b"JFIF\0\x01\x01\0\0\x01\0\x01\x08\x08".to_vec();
    with_thumbnail.extend([7; 192]);
    let behind_it = [small.as_ref(), b"MPF\0", small.as_ref()].concat();
    files.extend([
        with(
            "jpeg with names".into(),
            &[segment(0xE1, &[b"http://ns.adobe.com/xap/1.0/\0", xmp().as_slice()].concat())],
        ),
        with("jpeg with captions".into(), &[segment(0xED, b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x0CAda Lovelace")]),
        with("jpeg with a comment".into(), &[segment(0xFE, b"<script>alert(1)</script>")]),
        with("jpeg with a broken profile".into(), &[segment(0xE2, b"ICC_PROFILE\0\x01\x01junk")]),
        with("jpeg with a profile in too many parts".into(), &vec![segment(0xE2, b"ICC_PROFILE\0\xFF\xFFjunk"); 300]),
        with("jpeg with the parts of a profile from nowhere".into(), &[segment(0xE2, b"ICC_PROFILE\0\0\0")]),
        with("jpeg with a small one inside".into(), &[segment(0xE0, &jfxx)]),
        with("jpeg with small pixels inside".into(), &[segment(0xE0, &with_thumbnail)]),
        with("jpeg with a list of others".into(), &[segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0")]),
        with("jpeg with a long Adobe".into(), &[segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01<?php system(1); ?>")]),
        with("jpeg with every APP".into(), &(0xE3..=0xEF).map(|m| segment(m, b"Ada Lovelace")).collect::<Vec<_>>()),
        with("jpeg with broken EXIF".into(), &[segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff")]),
        File::new("jpeg with a second picture", behind_it, taken),
        File::new("jpeg with filling", [&small[..2], &[0xFF; 5000], &small[2..]].concat(), taken),
    ]);
    files
}

fn frames() -> Vec<File> {
    let good = good();
    let sof = good.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = good.to_vec();
        bytes[sof + at..sof + at + to.len()].copy_from_slice(to);
        bytes
    };
    let mut files = Vec::new();
    for (what, sort) in [("lossless", 0xC3), ("hierarchical", 0xC5), ("arithmetic", 0xC9), ("unknown", 0xCF)] {
        files.push(File::new(format!("jpeg, {what}"), changed(1, &[sort]), Fate::Refused));
    }
    for (what, at, to) in [
        ("of 12 bits", 4, &[12][..]),
        ("without height", 5, &[0, 0]),
        ("without width", 7, &[0, 0]),
        ("of 65535 by 65535", 5, &[0xFF; 4]),
        ("without colours", 9, &[0]),
        ("of nine colours", 9, &[9]),
        ("sampled not at all", 11, &[0]),
        ("sampled too finely", 11, &[0xFF]),
    ] {
        files.push(File::new(format!("jpeg {what}"), changed(at, to), Fate::Refused));
    }
    let without = |marker: u8| {
        let mut bytes = good.to_vec();
        while let Some(at) = bytes.windows(2).position(|pair| pair == [0xFF, marker]) {
            let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
            bytes.drain(at..at + 2 + length);
        }
        bytes
    };
    let grey = DynamicImage::from(drawing(SIDE, SIDE)).to_luma8();
    let flat = |components, sampling| Empty { sort: 0xC0, components, sampling, ..Empty::progressive(40, 24, 0x11, 0) };
    let cmyk = flat(4, 0x11).file();
    let printed = [&cmyk[..2], &segment(0xEE, b"Adobe\0\x64\0\0\0\0\x02"), &cmyk[2..]].concat();
    files.extend([
        File::new("jpeg without tables", without(0xC4), Fate::Either),
        File::new("jpeg without steps", without(0xDB), Fate::Refused),
        File::new("jpeg without a frame", without(0xC0), Fate::Refused),
        File::new("jpeg without a scan", without(0xDA), Fate::Refused),
        File::new("jpeg in grey", encoded(&DynamicImage::from(grey)), Fate::Taken(SIDE, SIDE)),
        File::new("jpeg for print", cmyk, Fate::Either),
        File::new("jpeg for print by Adobe", printed, Fate::Either),
        File::new("jpeg sampled 4 by 4", flat(3, 0x44).file(), Fate::Either),
        File::new("jpeg of two colours", flat(2, 0x11).file(), Fate::Either),
        File::new("jpeg with restarts", between(&[segment(0xDD, &[0, 1])]), Fate::Either),
        File::new("jpeg in passes", Empty::progressive(40, 24, 0x22, 5).file(), Fate::Taken(40, 24)),
        File::new(
            "jpeg with its height told later",
            [&good[..good.len() - 2], &segment(0xDC, &[0, 48]), b"\xFF\xD9"].concat(),
            Fate::Refused,
        ),
        File::new("jpeg with two frames", between(&[segment(0xC0, &[8, 0, 9, 0, 9, 1, 1, 0x11, 0])]), Fate::Refused),
        File::new(
            "jpeg with a segment beyond its end",
            [&good[..2], b"\xFF\xE1\xFF\xFF", &good[2..400]].concat(),
            Fate::Refused,
        ),
        File::new("jpeg with a segment of no length", between(&[b"\xFF\xE1\0\0".to_vec()]), Fate::Refused),
        File::new(
            "jpeg turned on its head",
            encoded(&DynamicImage::from(imageops::rotate180(&drawing(SIDE, SIDE)))),
            Fate::Taken(SIDE, SIDE),
        ),
    ]);
    files
}

fn bloated() -> Vec<File> {
    let taken = Fate::Taken(SIDE, SIDE);
    let table = [&[0][..], &NOTHING_IN_DC[..17]].concat();
    let restarts = [&good()[..good().len() - 2], &b"\xFF\xD0".repeat(1_000_000), b"\xFF\xD9"].concat();
    vec![
        File::new(
            "40 megapixels in a thousand passes",
            Empty::progressive(6_300, 6_300, 0x22, 1_000).file(),
            Fate::Refused,
        ),
        File::new("40 megapixels in ten fine passes", Empty::progressive(6_300, 6_300, 0x11, 9).file(), Fate::Refused),
        File::new(
            "a megapixel in ninety passes",
            Empty::progressive(1_000, 1_000, 0x11, 89).file(),
            Fate::Taken(1_000, 1_000),
        ),
        File::new("a small one in a thousand passes", Empty::progressive(40, 24, 0x11, 1_000).file(), Fate::Refused),
        File::new("a hair of a picture, finely sampled", Empty::progressive(1, 65_500, 0x44, 9).file(), Fate::Either),
        File::new("jpeg with comments of 15 MB", between(&vec![segment(0xFE, &[b'a'; 65_000]); 230]), taken),
        File::new("jpeg with a million comments", between(&vec![segment(0xFE, b"a"); 1_000_000]), taken),
        File::new("jpeg with 100,000 tables", between(&vec![segment(0xC4, &table); 100_000]), Fate::Refused),
        File::new(
            "jpeg with EXIF of 15 MB",
            between(&vec![segment(0xE1, &[b"Exif\0\0", [b'I'; 65_000].as_slice()].concat()); 230]),
            taken,
        ),
        File::new("jpeg with a million restarts", restarts, taken),
        File::new(
            "jpeg of 20 MB and a byte",
            [good().as_ref(), &vec![0; 20 * 1024 * 1024 + 1 - good().len()]].concat(),
            Fate::Refused,
        ),
    ]
}

/// A good one with these behind its first mark.
fn between(segments: &[Vec<u8>]) -> Vec<u8> {
    let good = good();
    [&good[..2], &segments.concat(), &good[2..]].concat()
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker], &length[..], content].concat()
}
