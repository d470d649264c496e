//! Files that nobody means well with, made anew for each run of the tests: broken, bloated, lying, two things at once.

mod bits;
mod jpeg;
mod others;
mod png;
mod webp;

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::pictures::{PLACE, drawing, exif};

/// What may become of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Refused,
    /// Taken, and this large afterwards.
    Taken(u32, u32),
    /// Decoders differ in their patience; both are fine.
    Either,
}

#[derive(Debug, Clone)]
pub struct File {
    /// What is wrong with it.
    pub what: String,
    pub bytes: Bytes,
    pub fate: Fate,
}

impl File {
    fn new(what: impl Into<String>, bytes: impl Into<Bytes>, fate: Fate) -> Self {
        Self { what: what.into(), bytes: bytes.into(), fate }
    }
}

/// What no stored picture may hold: whatever one of these files smuggles in says one of them.
pub const SMUGGLED: [&[u8]; 11] = [
    PLACE,
    b"Exif",
    b"<script",
    b"<?php",
    b"<svg",
    b"PK\x03\x04",
    b"%PDF",
    b"adobe.com",
    b"Ada Lovelace",
    b"ICC_PROFILE",
    b"alert(",
];

/// The size of the small good pictures that most files are made of.
const SIDE: u32 = 48;

/// The whole corpus.
pub fn files() -> Vec<File> {
    let mut files = others::files();
    for (name, good) in [("png", png::good()), ("jpeg", jpeg::good()), ("webp", webp::good())] {
        files.extend(damaged(name, &good));
        files.extend(two_things_at_once(name, &good));
    }
    files.extend(png::files());
    files.extend(jpeg::files());
    files.extend(webp::files());
    files
}

/// Files of the corpus with bytes turned, cut off, doubled or mixed with each other, by chance: so many of them.
pub fn mixed(count: usize, seed: u64) -> Vec<File> {
    let mut rng = StdRng::seed_from_u64(seed);
    let small: Vec<_> = files().into_iter().filter(|file| (16..256 * 1024).contains(&file.bytes.len())).collect();
    let mut mix = |number: usize| {
        let (one, other) = (small.choose(&mut rng).unwrap(), small.choose(&mut rng).unwrap());
        let mut bytes = one.bytes.to_vec();
        let at = rng.random_range(8..bytes.len());
        match rng.random_range(0..4) {
            0 => bytes.truncate(at),
            1 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other.bytes[other.bytes.len() / 2..]);
            }
            2 => bytes.extend_from_within(at..),
            _ => {
                for _ in 0..rng.random_range(1..16) {
                    let place = rng.random_range(8..bytes.len());
                    bytes[place] = rng.random();
                }
            }
        }
        File::new(format!("{number} of {seed}: {} with {}", one.what, other.what), bytes, Fate::Either)
    };
    (0..count).map(&mut mix).collect()
}

/// The largest bombs that are let in, for all at once.
pub fn bombs() -> Vec<File> {
    [png::bombs(), jpeg::bombs(), webp::bombs()].concat()
}

/// Cut off and bitten into.
fn damaged(name: &str, good: &Bytes) -> Vec<File> {
    let mut files = Vec::new();
    for part in 1..17 {
        let at = good.len() * part / 17;
        files.push(File::new(format!("{name} cut at {at}"), good.slice(..at), Fate::Refused));
    }
    for end in 1..4 {
        let at = good.len() - end;
        files.push(File::new(format!("{name} without its last {end}"), good.slice(..at), Fate::Refused));
    }
    for part in 0..16 {
        let mut bytes = good.to_vec();
        let at = 12 + (bytes.len() - 13) * part / 16;
        bytes[at] ^= 1 << (part % 8);
        files.push(File::new(format!("{name} with a bit turned at {at}"), bytes, Fate::Either));
    }
    let mut noisy = good.to_vec();
    for at in (40..noisy.len()).step_by(7) {
        noisy[at] = noisy[at].wrapping_mul(31).wrapping_add(17);
    }
    files.push(File::new(format!("{name} full of noise"), noisy, Fate::Either));
    files
}

/// Another file in front of it or behind it.
fn two_things_at_once(name: &str, good: &Bytes) -> Vec<File> {
    let zeros = vec![0; 1024 * 1024];
    let others: [(&str, &[u8]); 9] = [
        ("an archive", b"PK\x03\x04\x14\0\0\0\0\0evil.jar"),
        ("a page", b"<!doctype html><script>alert(document.domain)</script>"),
        ("a program", b"<?php system($_GET['c']); ?>"),
        ("a document", b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(alert(1))>>>>endobj"),
        ("a script", b"*/=alert(1);/*"),
        ("a drawing", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("itself", good),
        (
            "an animation",
            b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
        ),
        ("a megabyte of nothing", &zeros),
    ];
    let mut files = Vec::new();
    for (other, bytes) in others {
        let behind = [good, bytes].concat();
        files.push(File::new(format!("{name} with {other} behind it"), behind, Fate::Taken(SIDE, SIDE)));
        if other != "itself" {
            files.push(File::new(format!("{other} with {name} behind it"), [bytes, good].concat(), Fate::Refused));
        }
    }
    files
}

/// Where it was taken, by whom, and how to turn it.
fn places() -> impl Iterator<Item = (u8, Bytes)> {
    (1..=8).map(|orientation| (orientation, exif(orientation.into())))
}

fn xmp() -> Vec<u8> {
    b"<x:xmpmeta xmlns:x='adobe.com/ns/meta/'><dc:creator>Ada Lovelace</dc:creator></x:xmpmeta>".to_vec()
}

/// A small picture with nothing wrong.
pub fn good() -> Bytes {
    png::good()
}
