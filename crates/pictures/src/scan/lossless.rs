//! A small file can ask a lossless decoder for gigabytes of code tables. This reads exactly as much of the stream as says
//! how many there are and how large they become, and decodes no picture. Follows the specification of WebP's lossless
//! bitstream.

use std::ops::Range;

use crate::{MEMORY, Source, source::Window};

/// Symbols of the five codes of a group: green with lengths, red, blue, alpha, distances.
const ALPHABETS: [usize; 5] = [256 + 24, 256, 256, 256, 40];
const LENGTHS_ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const MAX_LENGTH: usize = 15;
/// The decoder looks up so many bits at once; longer codes hang below in a tree.
const TABLE_BITS: usize = 10;

/// Some hundreds of groups are usual, of at most 20 kB each; what needs more tables than this, needs more than we have.
const MAX_BYTES: u64 = 24 * 1024 * 1024;

/// What the decoder will hold beside the pixels.
pub(super) struct Tables {
    pub bytes: u64,
}

/// `None` when the stream is broken. Without a size it begins with a head that says it.
pub(super) fn tables(source: &Source, range: Range<u64>, size: Option<(u16, u16)>) -> Option<Tables> {
    let mut bits = Bits { file: source.window(), at: range.start, end: range.end, held: 0, count: 0 };
    let (width, height) = match size {
        Some((width, height)) => (u32::from(width), u32::from(height)),
        None => {
            bits.read(8)?;
            let size = (bits.read(14)? + 1, bits.read(14)? + 1);
            bits.read(4)?;
            size
        }
    };
    let mut packed_width = width;
    let mut seen = [false; 4];
    while bits.read(1)? == 1 {
        let kind = bits.read(2)?;
        if std::mem::replace(&mut seen[kind as usize], true) {
            return None;
        }
        match kind {
            0 | 1 => {
                let block = bits.read(3)? + 2;
                image(&mut bits, packed_width.div_ceil(1 << block), height.div_ceil(1 << block))?;
            }
            2 => {}
            _ => {
                let colours = bits.read(8)? + 1;
                image(&mut bits, colours, 1)?;
                let packing = match colours {
                    0..=2 => 3,
                    3..=4 => 2,
                    5..=16 => 1,
                    _ => 0,
                };
                packed_width = packed_width.div_ceil(1 << packing);
            }
        }
    }
    let cache = cache(&mut bits)?;
    let mut groups = 1;
    if bits.read(1)? == 1 {
        let block = bits.read(3)? + 2;
        groups = image(&mut bits, packed_width.div_ceil(1 << block), height.div_ceil(1 << block))? + 1;
    }
    let mut bytes = 0;
    for _ in 0..groups {
        bytes += Group::read(&mut bits, cache)?.bytes + 256;
        if bytes > MAX_BYTES {
            bytes = MEMORY;
            break;
        }
    }
    Some(Tables { bytes })
}

/// Reads over a picture inside the picture; the largest group number that its pixels name, if it names groups.
fn image(bits: &mut Bits<'_>, width: u32, height: u32) -> Option<u32> {
    let cache = cache(bits)?;
    let group = Group::read(bits, cache)?;
    let mut left = u64::from(width) * u64::from(height);
    let mut largest = 0;
    while left > 0 {
        let green = u32::from(group.codes[0].next(bits)?);
        let pixels = match green {
            0..256 => {
                let red = u32::from(group.codes[1].next(bits)?);
                group.codes[2].next(bits)?;
                group.codes[3].next(bits)?;
                largest = largest.max(red << 8 | green);
                1
            }
            256..280 => {
                let length = prefixed(bits, green - 256)?;
                let distance = u32::from(group.codes[4].next(bits)?);
                prefixed(bits, distance)?;
                u64::from(length)
            }
            // From the cache: a pixel that was there before.
            _ => 1,
        };
        left = left.saturating_sub(pixels);
    }
    Some(largest)
}

/// Symbols that the colour cache adds.
fn cache(bits: &mut Bits<'_>) -> Option<usize> {
    if bits.read(1)? == 0 {
        return Some(0);
    }
    match bits.read(4)? {
        size @ 1..=11 => Some(1 << size),
        _ => None,
    }
}

fn prefixed(bits: &mut Bits<'_>, symbol: u32) -> Option<u32> {
    if symbol < 4 {
        return Some(symbol + 1);
    }
    let extra = (symbol - 2) >> 1;
    let offset = (2 + (symbol & 1)) << extra;
    Some(offset + bits.read(extra)? + 1)
}

struct Group {
    codes: [Code; 5],
    bytes: u64,
}

impl Group {
    fn read(bits: &mut Bits<'_>, cache: usize) -> Option<Self> {
        let mut bytes = 0;
        let mut codes: [Code; 5] = Default::default();
        for (at, code) in codes.iter_mut().enumerate() {
            *code = Code::read(bits, ALPHABETS[at] + if at == 0 { cache } else { 0 })?;
            bytes += code.bytes;
        }
        Some(Self { codes, bytes })
    }
}

/// A canonical code: how many symbols have each length, and the symbols in the order of their codes.
#[derive(Default)]
struct Code {
    counts: [u16; MAX_LENGTH + 1],
    symbols: Vec<u16>,
    bytes: u64,
}

impl Code {
    fn read(bits: &mut Bits<'_>, alphabet: usize) -> Option<Self> {
        if bits.read(1)? == 1 {
            let is_pair = bits.read(1)? == 1;
            let is_long = bits.read(1)? == 1;
            let first = bits.read(if is_long { 8 } else { 1 })?;
            let mut symbols = vec![u16::try_from(first).ok()?];
            if is_pair {
                symbols.push(u16::try_from(bits.read(8)?).ok()?);
            }
            if symbols.iter().any(|symbol| usize::from(*symbol) >= alphabet) {
                return None;
            }
            let mut counts = [0; MAX_LENGTH + 1];
            // One symbol needs no bits; two need one, in the order in which they stand.
            counts[1] = if is_pair { 2 } else { 0 };
            return Some(Self { counts, symbols, bytes: 64 });
        }
        let given = 4 + bits.read(4)? as usize;
        let mut lengths = [0_u8; 19];
        for place in &LENGTHS_ORDER[..given] {
            lengths[*place] = u8::try_from(bits.read(3)?).ok()?;
        }
        let lengths_code = Self::of(&lengths)?;
        let mut left = alphabet;
        if bits.read(1)? == 1 {
            let width = 2 + 2 * bits.read(3)?;
            left = 2 + bits.read(width)? as usize;
            if left > alphabet {
                return None;
            }
        }
        let mut lengths = vec![0_u8; alphabet];
        let (mut at, mut previous) = (0, 8);
        while at < alphabet && left > 0 {
            left -= 1;
            let length = u8::try_from(lengths_code.next(bits)?).ok()?;
            if length < 16 {
                lengths[at] = length;
                at += 1;
                previous = if length == 0 { previous } else { length };
                continue;
            }
            let (extra, least) = match length {
                16 => (2, 3),
                17 => (3, 3),
                _ => (7, 11),
            };
            let repeated = least + bits.read(extra)? as usize;
            let run = lengths.get_mut(at..at + repeated)?;
            run.fill(if length == 16 { previous } else { 0 });
            at += repeated;
        }
        Self::of(&lengths)
    }

    fn of(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0_u16; MAX_LENGTH + 1];
        for length in lengths.iter().filter(|length| **length > 0) {
            counts[usize::from(*length)] += 1;
        }
        let longest = counts.iter().rposition(|count| *count > 0)?;
        let mut places = [0_usize; MAX_LENGTH + 2];
        for length in 1..=MAX_LENGTH {
            places[length + 1] = places[length] + usize::from(counts[length]);
        }
        let mut symbols = vec![0; places[MAX_LENGTH + 1]];
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let place = &mut places[usize::from(*length)];
            symbols[*place] = u16::try_from(symbol).ok()?;
            *place += 1;
        }
        if symbols.len() == 1 {
            return Some(Self { counts: [0; MAX_LENGTH + 1], symbols, bytes: 64 });
        }
        // All codes are used, none twice.
        let used: u64 =
            counts.iter().enumerate().skip(1).map(|(length, count)| u64::from(*count) << (16 - length)).sum();
        if used != 1 << 16 {
            return None;
        }
        let long: u64 = counts[(TABLE_BITS + 1).min(MAX_LENGTH)..].iter().map(|count| u64::from(*count)).sum();
        let bytes = (4 << longest.min(TABLE_BITS)) + 64 * long + 64;
        Some(Self { counts, symbols, bytes })
    }

    fn next(&self, bits: &mut Bits<'_>) -> Option<u16> {
        if self.symbols.len() == 1 {
            return self.symbols.first().copied();
        }
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for count in &self.counts[1..] {
            code |= bits.read(1)?;
            let count = u32::from(*count);
            if code < first + count {
                return self.symbols.get((index + code - first) as usize).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// From the lowest bit of each byte on.
struct Bits<'a> {
    file: Window<'a>,
    at: u64,
    end: u64,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    /// At most 24 bits.
    fn read(&mut self, count: u32) -> Option<u32> {
        while self.count < count {
            if self.at >= self.end {
                return None;
            }
            self.held |= u64::from(self.file.byte(self.at)?) << self.count;
            self.at += 1;
            self.count += 8;
        }
        let bits = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        u32::try_from(bits).ok()
    }
}
