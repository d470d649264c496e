//! A zip file as it grows. Pictures are packed already, so nothing is packed again.

use std::io::{Cursor, Write};

use loco_rs::{Error, Result};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

pub struct Archive {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    bytes: usize,
    pictures: u64,
}

impl Default for Archive {
    fn default() -> Self {
        Self { zip: ZipWriter::new(Cursor::new(Vec::new())), bytes: 0, pictures: 0 }
    }
}

impl Archive {
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// What was put in so far.
    pub fn len(&self) -> usize {
        self.bytes
    }

    pub fn pictures(&self) -> u64 {
        self.pictures
    }

    pub fn add(&mut self, name: &str, bytes: &[u8], is_picture: bool) -> Result<()> {
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        self.zip.start_file(name, stored).map_err(Error::wrap)?;
        self.zip.write_all(bytes)?;
        self.bytes += bytes.len();
        self.pictures += u64::from(is_picture);
        Ok(())
    }

    pub fn close(self) -> Result<Vec<u8>> {
        Ok(self.zip.finish().map_err(Error::wrap)?.into_inner())
    }
}
