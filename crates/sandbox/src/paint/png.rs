//! PNG written by hand, for a file that no encoder would agree to write.

use bytes::Bytes;

/// Side of the square that the header promises.
const CLAIMED: u32 = 40_000;

/// A PNG of a few bytes that claims 40000×40000 pixels: 6 GB once decoded.
pub fn bomb() -> Bytes {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(CLAIMED.to_be_bytes());
    header.extend(CLAIMED.to_be_bytes());
    header.extend([8, 6, 0, 0, 0]);
    chunk(&mut file, *b"IHDR", &header);
    // A zlib stream that ends at once.
    chunk(&mut file, *b"IDAT", &[0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]);
    chunk(&mut file, *b"IEND", &[]);
    file.into()
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    file.extend(u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let sum = crc(&file[start..]);
    file.extend(sum.to_be_bytes());
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    })
}
