//! Where the bytes of a file are: in memory, or on disk while they wait for their turn.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;

/// What one look at a file on disk brings.
const WINDOW: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub enum Source {
    Bytes(Bytes),
    /// An open file and its length.
    File(Arc<File>, u64),
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl Source {
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a part of the file.
    pub(crate) fn copy(&self, range: &Range<u64>, into: &mut Vec<u8>) -> io::Result<()> {
        let (start, end) = (usize(range.start)?, usize(range.end)?);
        match self {
            Self::Bytes(bytes) => into.extend_from_slice(bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?),
            Self::File(file, _) => {
                let filled = into.len();
                into.resize(filled + end.saturating_sub(start), 0);
                file.read_exact_at(&mut into[filled..], range.start)?;
            }
        }
        Ok(())
    }

    pub(crate) fn window(&self) -> Window<'_> {
        Window { source: self, start: 0, held: Vec::new() }
    }
}

fn usize(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(io::Error::other)
}

/// A view into a file that moves with what is asked for.
pub(crate) struct Window<'a> {
    source: &'a Source,
    start: u64,
    held: Vec<u8>,
}

impl Window<'_> {
    pub fn end(&self) -> u64 {
        self.source.len()
    }

    /// From this place on, as far as the window sees: never empty before the end of the file.
    pub fn from(&mut self, at: u64) -> Option<&[u8]> {
        if let Source::Bytes(bytes) = self.source {
            return bytes.get(usize::try_from(at).ok()?..).filter(|rest| !rest.is_empty());
        }
        if at < self.start || at >= self.start + self.held.len() as u64 {
            self.look(at)?;
        }
        self.held.get(usize::try_from(at - self.start).ok()?..)
    }

    /// Exactly so many bytes, at most as many as one window holds.
    pub fn bytes(&mut self, at: u64, count: usize) -> Option<&[u8]> {
        if self.from(at)?.len() < count {
            if let Source::Bytes(_) = self.source {
                return None;
            }
            self.look(at)?;
        }
        self.from(at)?.get(..count)
    }

    pub fn byte(&mut self, at: u64) -> Option<u8> {
        self.from(at)?.first().copied()
    }

    fn look(&mut self, at: u64) -> Option<()> {
        let left = usize::try_from(self.source.len().checked_sub(at)?).ok()?;
        self.held.clear();
        let until = at + left.min(WINDOW) as u64;
        self.source.copy(&(at..until), &mut self.held).ok()?;
        self.start = at;
        (!self.held.is_empty()).then_some(())
    }
}
