//! Bit by bit, from the lowest: how both deflate and WebP pack.

#[derive(Default)]
pub struct Bits {
    pub bytes: Vec<u8>,
    count: u32,
}

impl Bits {
    pub fn put(&mut self, value: u64, count: u32) {
        for bit in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= u8::try_from(value >> bit & 1).unwrap() << (self.count % 8);
            self.count += 1;
        }
    }

    /// A code of a prefix code: its highest bit comes first.
    pub fn code(&mut self, code: u64, count: u32) {
        for bit in (0..count).rev() {
            self.put(code >> bit & 1, 1);
        }
    }
}

/// So many zeros as a zlib stream, about 160 of them in a byte.
pub fn packed_zeros(count: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(1, 1);
    bits.put(1, 2);
    bits.code(0x30, 8);
    let (runs, rest) = ((count - 1) / 258, (count - 1) % 258);
    // Whole bytes of the pattern at a time: 8 runs of 13 bits are 13 bytes.
    for _ in 0..runs {
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    for _ in 0..rest {
        bits.code(0x30, 8);
    }
    bits.code(0, 7);
    let sum = u32::try_from(count % 65521).unwrap() << 16 | 1;
    [&[0x78, 0x01], bits.bytes.as_slice(), &sum.to_be_bytes()].concat()
}

/// Any bytes as a zlib stream that packs nothing.
pub fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(65535).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap();
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}
