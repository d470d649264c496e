//! WebP, chunk by chunk. Nothing here writes lossy ones, so there is one in a few bytes.

use std::io::Cursor;

use bytes::Bytes;
use image::{DynamicImage, ImageFormat};

use super::{Fate, File, SIDE, bits::Bits, drawing, places, xmp};

/// One grey pixel, lossy.
const LOSSY: &[u8] = b"\x30\x01\0\x9d\x01\x2a\x01\0\x01\0\x0e\xc0\xfe\x25\xa4\0\x03\x70\0\0\0\0";

pub fn good() -> Bytes {
    encoded(&DynamicImage::from(drawing(SIDE, SIDE)))
}

fn encoded(picture: &DynamicImage) -> Bytes {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, ImageFormat::WebP).unwrap();
    out.into_inner().into()
}

/// The packed pixels of a lossless one, without its heads.
fn packed(file: &Bytes) -> Vec<u8> {
    let length = u32::from_le_bytes(file[16..20].try_into().unwrap()) as usize;
    file[20..20 + length].to_vec()
}

fn blank(width: u32, height: u32) -> Vec<u8> {
    riff(&[chunk(b"VP8L", &Stream::new(width, height).blank())])
}

pub fn bombs() -> Vec<File> {
    let groups = |count| riff(&[chunk(b"VP8L", &Stream::new(256, 256).groups(count))]);
    vec![
        File::new("40 megapixels out of nothing", blank(6_324, 6_324), Fate::Taken(4096, 4096)),
        File::new("webp with 1,000 groups of codes", groups(1_000), Fate::Taken(256, 256)),
    ]
}

pub fn files() -> Vec<File> {
    let taken = Fate::Taken(SIDE, SIDE);
    let pixels = chunk(b"VP8L", &packed(&good()));
    let extended = |flags: u8, chunks: &[Vec<u8>]| riff(&[vec![head(flags, SIDE, SIDE)], chunks.to_vec()].concat());
    let mut files = bombs();
    files.extend(places().map(|(turned, exif)| {
        let file = extended(0x08, &[pixels.clone(), chunk(b"EXIF", &exif)]);
        File::new(format!("webp turned {turned} at home"), file, taken)
    }));
    let mut lying = good().to_vec();
    lying[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut short = good().to_vec();
    short[4..8].copy_from_slice(&20_u32.to_le_bytes());
    let mut sized = good().to_vec();
    sized[16..20].copy_from_slice(&0x7FFF_FFFF_u32.to_le_bytes());
    let frame = |content: &[Vec<u8>]| {
        let mut fields = vec![0; 6];
        fields.extend(&(SIDE - 1).to_le_bytes()[..3]);
        fields.extend(&(SIDE - 1).to_le_bytes()[..3]);
        fields.extend([9, 0, 0, 0]);
        chunk(b"ANMF", &[fields, content.concat()].concat())
    };
    let film = |frames: usize| {
        extended(0x02, &[vec![chunk(b"ANIM", &[0; 6])], vec![frame(std::slice::from_ref(&pixels)); frames]].concat())
    };
    let lossy = |width: u16, height: u16| {
        let mut bytes = LOSSY.to_vec();
        bytes[6..8].copy_from_slice(&width.to_le_bytes());
        bytes[8..10].copy_from_slice(&height.to_le_bytes());
        bytes
    };
    let mut not_key = LOSSY.to_vec();
    not_key[0] |= 1;
    let alpha = |content: &[u8]| riff(&[head(0x10, 1, 1), chunk(b"ALPH", content), chunk(b"VP8 ", LOSSY)]);
    let squeezed = Stream::new(1, 1).groups(65_536);
    let clear = DynamicImage::from(drawing(SIDE, SIDE)).to_rgba8();
    files.extend([
        File::new("webp with names", extended(0x04, &[pixels.clone(), chunk(b"XMP ", &xmp())]), taken),
        File::new(
            "webp with a broken profile",
            extended(0x20, &[chunk(b"ICCP", b"ICC_PROFILE junk"), pixels.clone()]),
            taken,
        ),
        File::new(
            "webp with an unknown chunk",
            extended(0, &[pixels.clone(), chunk(b"EVIL", b"<script>alert(1)</script>")]),
            taken,
        ),
        File::new(
            "webp with EXIF as a JPEG has it",
            extended(0x08, &[pixels.clone(), chunk(b"EXIF", b"Exif\0\0junk")]),
            taken,
        ),
        File::new("webp that says another size", riff(&[head(0, 4_000, 4_000), pixels.clone()]), taken),
        File::new("webp that promises EXIF", extended(0x08, std::slice::from_ref(&pixels)), taken),
        File::new("webp with alpha", encoded(&DynamicImage::from(clear)), taken),
        File::new("webp longer than it is", lying, Fate::Refused),
        File::new("webp shorter than it is", short, Fate::Refused),
        File::new("webp with a chunk beyond its end", sized, Fate::Refused),
        File::new("webp without pixels", extended(0, &[]), Fate::Refused),
        File::new("webp that moves", film(3), taken),
        File::new("webp of a thousand frames", film(1_000), taken),
        File::new("webp that says it moves and does not", extended(0x02, std::slice::from_ref(&pixels)), taken),
        File::new("webp with an empty frame", extended(0x02, &[chunk(b"ANIM", &[0; 6]), frame(&[])]), Fate::Refused),
        File::new(
            "webp with a frame that is cut",
            extended(0x02, &[chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &[0; 7])]),
            Fate::Refused,
        ),
        File::new("webp, lossy", riff(&[chunk(b"VP8 ", LOSSY)]), Fate::Taken(1, 1)),
        File::new("webp, lossy, large out of nothing", riff(&[chunk(b"VP8 ", &lossy(6_300, 6_300))]), Fate::Either),
        File::new("webp, lossy, without width", riff(&[chunk(b"VP8 ", &lossy(0, 9))]), Fate::Refused),
        File::new("webp, lossy, without end", riff(&[chunk(b"VP8 ", &lossy(0x3FFF, 0x3FFF))]), Fate::Refused),
        File::new("webp, lossy, no key frame", riff(&[chunk(b"VP8 ", &not_key)]), Fate::Refused),
        File::new(
            "webp, lossy, of 40 MP with packed alpha",
            riff(&[
                head(0x10, 6_300, 6_300),
                chunk(b"ALPH", &[1, 0, 0, 0, 0, 0, 0, 0]),
                chunk(b"VP8 ", &lossy(6_300, 6_300)),
            ]),
            Fate::Refused,
        ),
        File::new("webp, lossy, with plain alpha", alpha(&[0, 128]), Fate::Taken(1, 1)),
        File::new("webp, lossy, with broken alpha", alpha(&[1, 0xFF, 0xFF]), Fate::Refused),
        File::new("webp, lossy, with much alpha", alpha(&[&[1][..], &squeezed].concat()), Fate::Refused),
        File::new("webp of 16384 by 16384", blank(16_384, 16_384), Fate::Refused),
        File::new("webp of a long row", blank(16_383, 1), Fate::Taken(4096, 1)),
        File::new(
            "webp with 65,536 groups of codes",
            riff(&[chunk(b"VP8L", &Stream::new(256, 256).groups(65_536))]),
            Fate::Refused,
        ),
        File::new(
            "webp with 65,536 groups and no codes",
            riff(&[chunk(b"VP8L", &Stream::new(256, 256).promise())]),
            Fate::Refused,
        ),
        File::new(
            "webp with XMP of 15 MB",
            extended(0x04, &[pixels.clone(), chunk(b"XMP ", &vec![b'a'; 15_000_000])]),
            taken,
        ),
        File::new(
            "webp with a million chunks",
            extended(0, &[vec![pixels], vec![chunk(b"JUNK", b""); 1_000_000]].concat()),
            taken,
        ),
        File::new(
            "webp of 20 MB and a byte",
            [good().as_ref(), &vec![0; 20 * 1024 * 1024 + 1 - good().len()]].concat(),
            Fate::Refused,
        ),
    ]);
    files
}

/// A lossless stream, written by hand.
struct Stream(Bits);

impl Stream {
    fn new(width: u32, height: u32) -> Self {
        let mut bits = Bits::default();
        bits.put(0x2F, 8);
        bits.put((width - 1).into(), 14);
        bits.put((height - 1).into(), 14);
        bits.put(0, 4);
        // No transform, no cache.
        bits.put(0, 2);
        Self(bits)
    }

    /// One group of codes that need no bits: every pixel is the same.
    fn blank(mut self) -> Vec<u8> {
        self.0.put(0, 1);
        self.same([7, 8, 9, 255, 0]);
        self.0.bytes
    }

    /// Says which group each block has: the last one.
    fn last_group(&mut self, last: u64) {
        self.0.put(1, 1);
        self.0.put(0, 3);
        self.0.put(0, 1);
        self.same([last & 255, last >> 8, 0, 0, 0]);
    }

    fn promise(mut self) -> Vec<u8> {
        self.last_group(65_535);
        self.0.bytes
    }

    /// So many groups, each with five codes as large as a code's first table gets.
    fn groups(mut self, count: u64) -> Vec<u8> {
        self.last_group(count - 1);
        for _ in 0..count * 5 {
            self.large_code();
        }
        // And some pixels.
        self.0.bytes.resize(self.0.bytes.len() + 500_000, 0);
        self.0.bytes
    }

    fn same(&mut self, symbols: [u64; 5]) {
        for symbol in symbols {
            self.0.put(0b101, 3);
            self.0.put(symbol, 8);
        }
    }

    /// Lengths 1, 2, 3 … 10, 10 for the first eleven symbols. The lengths 5 to 10 have codes of three bits and 1 to 4 of
    /// four.
    fn large_code(&mut self) {
        self.0.put(0, 1);
        self.0.put(10, 4);
        let length_of = |length: u64| match length {
            1..=4 => 4,
            5..=10 => 3,
            _ => 0,
        };
        for place in [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10] {
            self.0.put(length_of(place), 3);
        }
        self.0.put(1, 1);
        self.0.put(1, 3);
        self.0.put(11 - 2, 4);
        for length in (1..=10).chain([10]) {
            match length {
                1..=4 => self.0.code(0b1100 + length - 1, 4),
                _ => self.0.code(length - 5, 3),
            }
        }
    }
}

fn head(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let mut fields = vec![flags, 0, 0, 0];
    fields.extend(&(width - 1).to_le_bytes()[..3]);
    fields.extend(&(height - 1).to_le_bytes()[..3]);
    chunk(b"VP8X", &fields)
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let content = chunks.concat();
    let length = u32::try_from(content.len() + 4).unwrap().to_le_bytes();
    [b"RIFF", &length[..], b"WEBP", &content].concat()
}

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    let filling: &[u8] = if content.len().is_multiple_of(2) { &[] } else { &[0] };
    [name, &length[..], content, filling].concat()
}
