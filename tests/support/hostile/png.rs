//! PNG, chunk by chunk.

use bytes::Bytes;

use super::{
    Fate, File, SIDE,
    bits::{packed_zeros, unpacked},
    drawing, places, xmp,
};
use crate::support::pictures;

const HEAD: &[u8] = b"\x89PNG\r\n\x1a\n";

pub fn good() -> Bytes {
    pictures::png(&drawing(SIDE, SIDE))
}

/// What is said in IHDR.
#[derive(Clone, Copy)]
struct Shape {
    width: u32,
    height: u32,
    depth: u8,
    colours: u8,
    interlaced: bool,
}

impl Shape {
    const fn rgb(width: u32, height: u32) -> Self {
        Self { width, height, depth: 8, colours: 2, interlaced: false }
    }

    fn header(self) -> Vec<u8> {
        let mut fields = [self.width.to_be_bytes(), self.height.to_be_bytes()].concat();
        fields.extend([self.depth, self.colours, 0, 0, u8::from(self.interlaced)]);
        chunk(b"IHDR", &fields)
    }

    /// Bytes of all rows with the byte for the filter of each; passes of an interlaced one are not counted.
    fn packed(self) -> usize {
        let channels = [1, 0, 3, 1, 2, 0, 4][usize::from(self.colours)];
        let row = (self.width as usize * channels * usize::from(self.depth)).div_ceil(8);
        (row + 1) * self.height as usize
    }

    fn of(self, chunks: &[Vec<u8>], data: &[u8]) -> Vec<u8> {
        let data = chunk(b"IDAT", data);
        [HEAD, &self.header(), &chunks.concat(), &data, &chunk(b"IEND", b"")].concat()
    }

    fn blank(self) -> Vec<u8> {
        self.of(&[], &packed_zeros(self.packed()))
    }
}

pub fn bombs() -> Vec<File> {
    let side = Fate::Taken(4096, 4096);
    let wide = Shape { colours: 6, ..Shape::rgb(6_324, 6_324) };
    vec![
        File::new("40 megapixels with alpha out of a megabyte", wide.blank(), side),
        File::new("40 megapixels", Shape::rgb(6_324, 6_324).blank(), side),
        File::new(
            "36 megapixels, 16 bits deep",
            Shape { depth: 16, colours: 6, ..Shape::rgb(6_000, 6_000) }.blank(),
            side,
        ),
    ]
}

pub fn files() -> Vec<File> {
    let mut files = bombs();
    files.extend(metadata());
    files.extend(shapes());
    files.extend(out_of_order());
    files.extend(bloated());
    files
}

fn metadata() -> Vec<File> {
    let with = |what: String, chunks: &[Vec<u8>], fate| File::new(what, between(chunks), fate);
    let taken = Fate::Taken(SIDE, SIDE);
    let mut files: Vec<_> = places()
        .map(|(turned, exif)| with(format!("png turned {turned} at home"), &[chunk(b"eXIf", &exif)], taken))
        .collect();
    let icc = |profile: &[u8]| chunk(b"iCCP", &[b"ICC_PROFILE\0\0", unpacked(profile).as_slice()].concat());
    files.extend([
        with(
            "png with names".into(),
            &[chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", xmp().as_slice()].concat())],
            taken,
        ),
        with("png with a comment".into(), &[chunk(b"tEXt", b"Comment\0<script>alert(1)</script>")], taken),
        with(
            "png with a packed comment".into(),
            &[chunk(b"zTXt", &[b"Comment\0\0", unpacked(b"Ada Lovelace").as_slice()].concat())],
            taken,
        ),
        with("png with a broken profile".into(), &[icc(b"not a profile")], taken),
        with("png with a profile that is no stream".into(), &[chunk(b"iCCP", b"ICC_PROFILE\0\0junk")], taken),
        with("png with a time".into(), &[chunk(b"tIME", &[7, 0xEA, 11, 24, 3, 0, 0])], taken),
        with("png with private data".into(), &[chunk(b"prVt", b"<?php eval($_POST[1]); ?>")], taken),
        with("png with an unknown needed chunk".into(), &[chunk(b"NEED", b"Ada Lovelace")], taken),
        with("png with a long sRGB".into(), &[chunk(b"sRGB", &[0; 100_000])], taken),
        with("png with a long gAMA".into(), &[chunk(b"gAMA", b"%PDF-1.4")], taken),
        with("png with broken EXIF".into(), &[chunk(b"eXIf", b"II*\0\xff\xff\xff\xff")], taken),
        with(
            "png with EXIF in a ring".into(),
            &[chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0")],
            taken,
        ),
    ]);
    files
}

/// Every way in which a PNG may say its colours, and some in which it may not.
fn shapes() -> Vec<File> {
    let mut files = Vec::new();
    for (depth, colours) in [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 4), (16, 4), (8, 6), (16, 6)]
    {
        let shape = Shape { depth, colours, ..Shape::rgb(21, 13) };
        files.push(File::new(format!("png of kind {colours}, {depth} bits"), shape.blank(), Fate::Taken(21, 13)));
    }
    let palette = chunk(b"PLTE", &[9; 6]);
    for depth in [1, 2, 4, 8] {
        let shape = Shape { depth, colours: 3, ..Shape::rgb(21, 13) };
        let data = packed_zeros(shape.packed());
        let file = shape.of(std::slice::from_ref(&palette), &data);
        files.push(File::new(format!("png with a palette, {depth} bits"), file, Fate::Taken(21, 13)));
        let see_through = shape.of(&[palette.clone(), chunk(b"tRNS", &[0, 128])], &data);
        files.push(File::new(format!("png with a clear palette, {depth} bits"), see_through, Fate::Taken(21, 13)));
    }
    let indexed = Shape { colours: 3, ..Shape::rgb(21, 13) };
    let beyond = unpacked(&[&[0_u8][..], &[255; 21]].concat().repeat(13));
    let interlaced = Shape { interlaced: true, ..Shape::rgb(8, 8) };
    let passes: usize =
        [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)].iter().map(|(w, h)| (w * 3 + 1) * h).sum();
    files.extend([
        File::new("png whose pixels leave the palette", indexed.of(&[palette], &beyond), Fate::Either),
        File::new("png without its palette", indexed.blank(), Fate::Refused),
        File::new("png, interlaced", interlaced.of(&[], &packed_zeros(passes)), Fate::Taken(8, 8)),
        File::new(
            "png of a kind that is none",
            Shape { colours: 5, ..Shape::rgb(9, 9) }.of(&[], &packed_zeros(99)),
            Fate::Refused,
        ),
        File::new("png of 3 bits", Shape { depth: 3, ..Shape::rgb(9, 9) }.blank(), Fate::Refused),
        File::new("png of 1 bit a colour", Shape { depth: 1, ..Shape::rgb(9, 9) }.blank(), Fate::Refused),
        File::new("png without width", Shape::rgb(0, 9).of(&[], &packed_zeros(9)), Fate::Refused),
        File::new("png without height", Shape::rgb(9, 0).of(&[], &packed_zeros(9)), Fate::Refused),
        File::new("png without end", Shape::rgb(u32::MAX, u32::MAX).of(&[], &packed_zeros(99)), Fate::Refused),
        File::new(
            "png of 40000 by 40000",
            Shape::rgb(40_000, 40_000).of(&[], &packed_zeros(40_000_000)),
            Fate::Refused,
        ),
        File::new("png of one endless row", Shape::rgb(39_999_999, 1).of(&[], &packed_zeros(1_000)), Fate::Refused),
        File::new("png of one endless column", Shape::rgb(1, 39_999_999).of(&[], &packed_zeros(1_000)), Fate::Refused),
        File::new("png of a long row", Shape::rgb(65_535, 1).blank(), Fate::Taken(4096, 1)),
        File::new("png of a long column", Shape::rgb(1, 65_535).blank(), Fate::Taken(1, 4096)),
        File::new(
            "png with fewer rows than it says",
            Shape::rgb(500, 500).of(&[], &packed_zeros(3_000)),
            Fate::Refused,
        ),
    ]);
    files
}

fn out_of_order() -> Vec<File> {
    let shape = Shape::rgb(9, 9);
    let (header, data) = (shape.header(), chunk(b"IDAT", &packed_zeros(shape.packed())));
    let end = chunk(b"IEND", b"");
    let mut wrong_sum = shape.blank();
    wrong_sum[30] ^= 1;
    let mut wrong_data_sum = shape.blank();
    let at = wrong_data_sum.len() - 13;
    wrong_data_sum[at] ^= 1;
    let mut too_long = shape.blank();
    too_long[33..37].copy_from_slice(&u32::MAX.to_be_bytes());
    let file = |parts: &[&[u8]]| [HEAD, &parts.concat()].concat();
    vec![
        File::new("png without data", file(&[&header, &end]), Fate::Refused),
        File::new("png without an end", file(&[&header, &data]), Fate::Refused),
        File::new("png without a header", file(&[&data, &end]), Fate::Refused),
        File::new("png with two headers", file(&[&header, &header, &data, &end]), Fate::Refused),
        File::new("png with its header last", file(&[&data, &header, &end]), Fate::Refused),
        File::new("png with a wrong checksum", wrong_sum, Fate::Refused),
        File::new("png with a wrong checksum of its data", wrong_data_sum, Fate::Either),
        File::new("png with a chunk without end", too_long, Fate::Refused),
        File::new("png that is no stream", shape.of(&[], b"this is not packed"), Fate::Refused),
        File::new("png with an unknown filter", shape.of(&[], &unpacked(&[9; 252])), Fate::Refused),
        File::new("png with more than its rows", shape.of(&[], &packed_zeros(50_000_000)), Fate::Either),
    ]
}

/// Much of what nobody needs.
fn bloated() -> Vec<File> {
    let bomb = packed_zeros(300_000_000);
    let packed = |name: &[u8; 4], head: &[u8]| between(&[chunk(name, &[head, &bomb].concat())]);
    let frames: Vec<_> = (0..1_000_u32)
        .flat_map(|n| {
            let mut control = (2 * n).to_be_bytes().to_vec();
            control.extend([SIDE.to_be_bytes(), SIDE.to_be_bytes(), [0; 4], [0; 4]].concat());
            control.extend([0, 1, 0, 1, 0, 0]);
            let data = [&(2 * n + 1).to_be_bytes()[..], &packed_zeros(Shape::rgb(SIDE, SIDE).packed())].concat();
            [chunk(b"fcTL", &control), chunk(b"fdAT", &data)]
        })
        .collect();
    let mut film = between(&[chunk(b"acTL", &[0, 0, 3, 0xE8, 0, 0, 0, 0])]);
    let end = film.len() - 12;
    film.splice(end..end, frames.concat());
    let crowd = between(&vec![chunk(b"tEXt", b"a\0b"); 1_000_000]);
    let pieces = Shape::rgb(SIDE, SIDE);
    let data: Vec<_> = packed_zeros(pieces.packed()).iter().map(|byte| chunk(b"IDAT", &[*byte])).collect();
    let crumbs = [HEAD, &pieces.header(), &data.concat(), &chunk(b"IEND", b"")].concat();
    let taken = Fate::Taken(SIDE, SIDE);
    vec![
        File::new("png with a comment of 300 MB", packed(b"zTXt", b"a\0\0"), taken),
        File::new("png with a text of 300 MB", packed(b"iTXt", b"a\0\x01\0\0\0"), taken),
        File::new("png with names of 300 MB", packed(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0"), taken),
        File::new("png with a profile of 300 MB", packed(b"iCCP", b"a\0\0"), taken),
        File::new("png with a comment of 15 MB", between(&[chunk(b"tEXt", &vec![b'a'; 15_000_000])]), taken),
        File::new("png with EXIF of 15 MB", between(&[chunk(b"eXIf", &vec![b'I'; 15_000_000])]), taken),
        File::new("png of a thousand frames", film, taken),
        File::new("png with a million comments", crowd, taken),
        File::new("png in crumbs", crumbs, taken),
        File::new("png of 20 MB and a byte", sized(20 * 1024 * 1024 + 1), Fate::Refused),
        File::new("png of 20 MB", sized(20 * 1024 * 1024), taken),
    ]
}

/// A good one of exactly so many bytes.
fn sized(length: usize) -> Vec<u8> {
    between(&[chunk(b"tEXt", &vec![b'a'; length - good().len() - 12])])
}

/// A good one with these behind its header.
fn between(chunks: &[Vec<u8>]) -> Vec<u8> {
    let good = good();
    [&good[..33], &chunks.concat(), &good[33..]].concat()
}

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let sum = sum(&[name, content]).to_be_bytes();
    [&length, &name[..], content, &sum].concat()
}

/// CRC-32, by a table.
fn sum(parts: &[&[u8]]) -> u32 {
    use std::sync::LazyLock;
    static TABLE: LazyLock<[u32; 256]> = LazyLock::new(|| {
        std::array::from_fn(|byte| {
            (0..8).fold(
                u32::try_from(byte).unwrap(),
                |sum, _| if sum & 1 == 1 { 0xEDB8_8320 ^ sum >> 1 } else { sum >> 1 },
            )
        })
    });
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(!0, |sum, byte| TABLE[((sum ^ u32::from(*byte)) & 255) as usize] ^ sum >> 8)
}
